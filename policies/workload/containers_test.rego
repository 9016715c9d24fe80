package gitops.workload_test

import data.gitops.workload

test_env_duplicate_denies if {
	hits := workload.env_duplicate with input as pod({"name": "a", "env": [
		{"name": "X", "value": "1"},
		{"name": "Y", "value": "1"},
		{"name": "X", "value": "2"},
	]})
	hits == {{"msg": `container "a": expected one variable "X", saw another one`, "pointer": "/spec/containers/0/env/2"}}
}

test_env_duplicate_allows if {
	every env in [[], [{"name": "X"}], [{"name": "X", "value": "1"}, {"name": "Y", "value": "1"}]] {
		count(workload.env_duplicate) == 0 with input as pod({"name": "a", "env": env})
	}
}

probing(field, probe) := pod({"name": "a", "ports": [{"name": "http", "containerPort": 80}], field: probe})

test_probe_port_unknown_denies if {
	every field in ["readinessProbe", "livenessProbe", "startupProbe"] {
		every probe in [{"httpGet": {"port": "htpp"}}, {"tcpSocket": {"port": "htpp"}}] {
			hits := workload.probe_port_unknown with input as probing(field, probe)
			{hit.msg | some hit in hits} == {sprintf(
				`container "a": expected its %s to name one of its ports, saw "htpp"`,
				[field],
			)}
		}
	}
	count(workload.probe_port_unknown) == 1 with input as pod({"name": "a", "readinessProbe": {"httpGet": {"port": "http"}}})
}

test_probe_port_unknown_allows if {
	every probe in [
		{"httpGet": {"port": "http"}},
		{"httpGet": {"port": 8080}},
		{"tcpSocket": {"port": "8080"}},
		{"grpc": {"port": 9000}},
		{"exec": {"command": ["x"]}},
	] {
		count(workload.probe_port_unknown) == 0 with input as probing("readinessProbe", probe)
	}
}

probed_by(readiness, liveness) := templated("apps/v1", "Deployment", {"containers": [{
	"name": "a",
	"readinessProbe": readiness,
	"livenessProbe": liveness,
}]})

test_probes_identical_denies if {
	asked := {"httpGet": {"path": "/", "port": 80}}
	count(workload.probes_identical) == 1 with input as probed_by(asked, asked)
	count(workload.probes_identical) == 1 with input as probed_by(asked, object.union(asked, {"failureThreshold": 2}))
}

test_probes_identical_allows if {
	asked := {"httpGet": {"path": "/", "port": 80}}
	every liveness in [{"httpGet": {"path": "/alive", "port": 80}}, object.union(asked, {"failureThreshold": 10})] {
		count(workload.probes_identical) == 0 with input as probed_by(asked, liveness)
	}
	count(workload.probes_identical) == 0 with input as templated("batch/v1", "Job", {"containers": [{
		"name": "a",
		"readinessProbe": asked,
		"livenessProbe": asked,
	}]})
}

test_root_filesystem_writable_denies if {
	every subject in every_kind({"containers": [{"name": "a"}], "initContainers": [{"name": "b", "securityContext": {}}]}) {
		count(workload.root_filesystem_writable) == 2 with input as subject
	}
}

test_root_filesystem_writable_allows if {
	every subject in every_kind({"containers": [{"name": "a", "securityContext": {"readOnlyRootFilesystem": true}}]}) {
		count(workload.root_filesystem_writable) == 0 with input as subject
	}
}

test_pull_policy_stale_denies if {
	every policy in ["IfNotPresent", "Never"] {
		count(workload.pull_policy_stale) == 1 with input as pod({"name": "a", "image": "a:main", "imagePullPolicy": policy})
	}
}

test_pull_policy_stale_allows if {
	every container in [
		{"name": "a", "image": "a:main", "imagePullPolicy": "Always"},
		{"name": "a", "image": "a:main"},
		{"name": "a", "image": "a:1.2.3", "imagePullPolicy": "IfNotPresent"},
		{"name": "a", "image": "a:main@sha256:abc", "imagePullPolicy": "IfNotPresent"},
	] {
		count(workload.pull_policy_stale) == 0 with input as pod(container)
	}
}

with_host_path(path) := every_kind({"containers": [], "volumes": [{"name": "v", "hostPath": {"path": path}}]})

test_runtime_socket_denies if {
	every path in ["/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock"] {
		every subject in with_host_path(path) {
			count(workload.runtime_socket) == 1 with input as subject
		}
	}
}

test_runtime_socket_allows if {
	every path in ["/var/log", "/var/run/agent.sock", "/var/run/docker.sock.d"] {
		every subject in with_host_path(path) {
			count(workload.runtime_socket) == 0 with input as subject
		}
	}
}

test_token_mounted_denies if {
	every spec in [
		{"containers": []},
		{"containers": [], "serviceAccountName": "default"},
		{"containers": [], "automountServiceAccountToken": true},
	] {
		every subject in every_kind(spec) {
			count(workload.token_mounted) == 1 with input as subject
		}
	}
}

test_token_mounted_allows if {
	every spec in [{"containers": [], "automountServiceAccountToken": false}, {"containers": [], "serviceAccountName": "web"}] {
		every subject in every_kind(spec) {
			count(workload.token_mounted) == 0 with input as subject
		}
	}
	count(workload.token_mounted) == 0 with input as {"object": {"apiVersion": "v1", "kind": "ConfigMap"}}
}
