package gitops.workload_test

import data.gitops.workload

lasting_kinds(spec) := [
	{"object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "w"}, "spec": spec}},
	templated("apps/v1", "Deployment", spec),
	templated("apps/v1", "StatefulSet", spec),
	templated("apps/v1", "DaemonSet", spec),
	templated("apps/v1", "ReplicaSet", spec),
	templated("argoproj.io/v1alpha1", "Rollout", spec),
]

passing_kinds(spec) := [
	templated("batch/v1", "Job", spec),
	cronjob(spec),
	{"object": {"apiVersion": "v1", "kind": "Pod", "spec": object.union(spec, {"restartPolicy": "Never"})}},
	{"object": {
		"apiVersion": "v1",
		"kind": "Pod",
		"metadata": {"annotations": {"helm.sh/hook": "test"}},
		"spec": spec,
	}},
	{"object": {
		"apiVersion": "v1",
		"kind": "Pod",
		"metadata": {"annotations": {"argocd.argoproj.io/hook": "PostSync"}},
		"spec": spec,
	}},
]

bare := {"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}

probed := {"containers": [{
	"name": "a",
	"readinessProbe": {"tcpSocket": {"port": 1}},
	"livenessProbe": {"tcpSocket": {"port": 1}},
}]}

test_readiness_probe_missing_denies_what_serves if {
	every subject in lasting_kinds(bare) {
		count(workload.readiness_probe_missing) == 1 with input as subject
	}
}

test_readiness_probe_missing_allows_a_probe_and_what_ends if {
	every subject in array.concat(lasting_kinds(probed), passing_kinds(bare)) {
		count(workload.readiness_probe_missing) == 0 with input as subject
	}
}

test_liveness_probe_missing_denies_what_serves if {
	every subject in lasting_kinds(bare) {
		count(workload.liveness_probe_missing) == 1 with input as subject
	}
}

test_liveness_probe_missing_allows_a_probe_and_what_ends if {
	every subject in array.concat(lasting_kinds(probed), passing_kinds(bare)) {
		count(workload.liveness_probe_missing) == 0 with input as subject
	}
}
