package gitops.workload_test

import data.gitops.workload

test_privileged_denies_in_every_kind_and_init_container if {
	container := {"name": "a", "securityContext": {"privileged": true}}
	every subject in every_kind({"containers": [container], "initContainers": [container]}) {
		count(workload.privileged) == 2 with input as subject
	}
}

test_privileged_allows if {
	every context in [{}, {"privileged": false}] {
		count(workload.privileged) == 0 with input as pod({"name": "a", "securityContext": context})
	}
}

secured(of_pod, of_container) := {"object": {
	"apiVersion": "v1",
	"kind": "Pod",
	"metadata": {"name": "p"},
	"spec": {"securityContext": of_pod, "containers": [{"name": "a", "securityContext": of_container}]},
}}

test_run_as_non_root_denies_and_says_why if {
	every example in [
		[{}, {}, "neither runAsNonRoot nor runAsUser"],
		[{"runAsNonRoot": true}, {"runAsNonRoot": false}, "runAsNonRoot: false"],
		[{"runAsNonRoot": false}, {}, "runAsNonRoot: false"],
		[{"runAsUser": 0, "runAsNonRoot": true}, {}, "runAsUser: 0"],
		[{"runAsUser": 1000}, {"runAsUser": 0}, "runAsUser: 0"],
	] {
		hits := workload.run_as_non_root with input as secured(example[0], example[1])
		{hit.msg | some hit in hits} == {sprintf(`container "a": expected runAsNonRoot: true, saw %s`, [example[2]])}
	}
	count(workload.run_as_non_root) == 1 with input as pod({"name": "a"})
}

test_run_as_non_root_allows if {
	every example in [
		[{"runAsNonRoot": true}, {}],
		[{}, {"runAsNonRoot": true}],
		[{"runAsNonRoot": false}, {"runAsNonRoot": true}],
		[{"runAsUser": 0}, {"runAsUser": 1000}],
		[{"runAsUser": 1000}, {}],
	] {
		count(workload.run_as_non_root) == 0 with input as secured(example[0], example[1])
	}
}

test_host_path_denies_in_every_kind if {
	every subject in every_kind({"containers": [], "volumes": [{"name": "v", "hostPath": {"path": "/var/log"}}]}) {
		hits := workload.host_path with input as subject
		{hit.msg | some hit in hits} == {`volume "v": expected no hostPath, saw "/var/log"`}
	}
}

test_host_path_allows_other_volumes if {
	every subject in every_kind({"containers": [], "volumes": [{"name": "v", "emptyDir": {}}]}) {
		count(workload.host_path) == 0 with input as subject
	}
}
