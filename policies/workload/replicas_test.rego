package gitops.workload_test

import data.gitops.workload

deployed(spec) := {"object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}}

test_update_stops_all_denies if {
	every strategy in [
		{"type": "Recreate"},
		{"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
		{"rollingUpdate": {"maxUnavailable": 3}},
	] {
		count(workload.update_stops_all) == 1 with input as deployed({"replicas": 3, "strategy": strategy})
	}
}

test_update_stops_all_allows if {
	every spec in [
		{"replicas": 1, "strategy": {"type": "Recreate"}},
		{"strategy": {"type": "Recreate"}},
		{"replicas": 3},
		{"replicas": 3, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}},
		{"replicas": 3, "strategy": {"rollingUpdate": {"maxUnavailable": "25%"}}},
	] {
		count(workload.update_stops_all) == 0 with input as deployed(spec)
	}
}

destined(namespace) := {"metadata": {"name": "a"}, "spec": {"source": {}, "destination": {"namespace": namespace}}}

test_single_replica_denies_in_production if {
	subject := object.union(deployed({"replicas": 1}), {"application": destined("grid-prod")})
	count(workload.single_replica) == 1 with input as subject
}

test_single_replica_allows if {
	every example in [["grid-prod", {"replicas": 2}], ["grid-prod", {}], ["grid-dev", {"replicas": 1}]] {
		subject := object.union(deployed(example[1]), {"application": destined(example[0])})
		count(workload.single_replica) == 0 with input as subject
	}
}

spread_over(number, spec, namespace) := object.union(
	deployed({"replicas": number, "template": {"spec": spec}}),
	{"application": destined(namespace)},
)

test_spread_missing_denies_in_production if {
	every spec in [{}, {"affinity": {"nodeAffinity": {}}}, {"topologySpreadConstraints": []}] {
		count(workload.spread_missing) == 1 with input as spread_over(2, spec, "grid-prod")
	}
}

test_spread_missing_allows if {
	every spec in [{"affinity": {"podAntiAffinity": {}}}, {"topologySpreadConstraints": [{"maxSkew": 1}]}] {
		count(workload.spread_missing) == 0 with input as spread_over(2, spec, "grid-prod")
	}
	count(workload.spread_missing) == 0 with input as spread_over(1, {}, "grid-prod")
	count(workload.spread_missing) == 0 with input as spread_over(2, {}, "grid-dev")
}

job(spec, annotations) := {"object": {
	"apiVersion": "batch/v1",
	"kind": "Job",
	"metadata": {"name": "j", "annotations": annotations},
	"spec": spec,
}}

test_job_vanishes_denies if {
	count(workload.job_vanishes) == 1 with input as job({"ttlSecondsAfterFinished": 0}, {})
	count(workload.job_vanishes) == 1 with input as job({"ttlSecondsAfterFinished": 3600}, {})
}

test_job_vanishes_allows if {
	count(workload.job_vanishes) == 0 with input as job({}, {})
	every hook in [{"argocd.argoproj.io/hook": "Sync"}, {"helm.sh/hook": "post-install"}] {
		count(workload.job_vanishes) == 0 with input as job({"ttlSecondsAfterFinished": 0}, hook)
	}
	count(workload.job_vanishes) == 0 with input as cronjob({})
}

test_cronjob_deadline_missing_denies if {
	count(workload.cronjob_deadline_missing) == 1 with input as cronjob({})
}

test_cronjob_deadline_missing_allows if {
	count(workload.cronjob_deadline_missing) == 0 with input as {"object": {
		"apiVersion": "batch/v1",
		"kind": "CronJob",
		"spec": {"startingDeadlineSeconds": 60},
	}}
	count(workload.cronjob_deadline_missing) == 0 with input as job({}, {})
}
