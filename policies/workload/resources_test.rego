package gitops.workload_test

import data.gitops.workload

test_requests_missing_denies if {
	every resources in [{}, {"requests": {"cpu": "1"}}, {"requests": {"memory": "1Gi"}}, {"limits": {"memory": "1Gi"}}] {
		count(workload.requests_missing) == 1 with input as pod({"name": "a", "resources": resources})
	}
	count(workload.requests_missing) == 1 with input as pod({"name": "a"})
}

test_requests_missing_denies_and_says_which if {
	hits := workload.requests_missing with input as pod({"name": "a", "resources": {"requests": {"cpu": "1"}}})
	{hit.msg | some hit in hits} == {`container "a": expected requests for cpu and memory, saw none for memory`}
}

test_requests_missing_denies_in_every_kind if {
	every subject in every_kind({"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}) {
		count(workload.requests_missing) == 2 with input as subject
	}
}

test_requests_missing_allows if {
	every resources in [
		{"requests": {"cpu": 1, "memory": "1Gi"}},
		{"limits": {"cpu": "1", "memory": "1Gi"}},
		{"requests": {"cpu": "10m"}, "limits": {"memory": "1Gi"}},
	] {
		count(workload.requests_missing) == 0 with input as pod({"name": "a", "resources": resources})
	}
}

test_limits_missing_denies if {
	every resources in [{}, {"limits": {"cpu": "1"}}, {"requests": {"memory": "1Gi"}}] {
		count(workload.limits_missing) == 1 with input as pod({"name": "a", "resources": resources})
	}
}

test_limits_missing_allows_memory_alone if {
	count(workload.limits_missing) == 0 with input as pod({"name": "a", "resources": {"limits": {"memory": "1Gi"}}})
}
