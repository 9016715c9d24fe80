package gitops.references_test

import data.gitops.references

scaler(more) := thing("autoscaling/v2", "HorizontalPodAutoscaler", "h", {"spec": object.union(
	{"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
	more,
)})

test_hpa_target_missing_denies if {
	hits := references.hpa_target_missing with input as world([scaler({})])
	messages(hits) == {`HorizontalPodAutoscaler grid/h: expected Deployment "web" in namespace "grid", saw none`}
}

test_hpa_target_missing_allows if {
	custom := {"scaleTargetRef": {"apiVersion": "example.com/v1", "kind": "Fleet", "name": "web"}}
	every objects in [[[scaler({})], [web(plain)]], [[scaler(custom)]], [[scaler({})], []]] {
		count(references.hpa_target_missing) == 0 with input as worlds(objects)
	}
}

test_replicas_fought_over_denies if {
	hits := references.replicas_fought_over with input as world([scaler({}), web_of(3, plain)])
	messages(hits) == {
		"Deployment grid/web: expected no replicas, because HorizontalPodAutoscaler grid/h sets them, saw 3",
	}
}

test_replicas_fought_over_allows if {
	without := json.remove(web(plain), ["/spec/replicas"])
	count(references.replicas_fought_over) == 0 with input as world([scaler({}), without])
	count(references.replicas_fought_over) == 0 with input as world([web(plain)])
	every difference in [
		{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
		{"group": "*", "kind": "*", "jqPathExpressions": [".spec.replicas"]},
		{"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["kube-controller-manager"]},
	] {
		seen := json.patch(world([scaler({}), web(plain)]), [{
			"op": "add",
			"path": "/all/applications/0/manifest/spec/ignoreDifferences",
			"value": [difference],
		}])
		count(references.replicas_fought_over) == 0 with input as seen
	}
}

by_cpu := {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]}

test_hpa_without_requests_denies if {
	hits := references.hpa_without_requests with input as world([scaler(by_cpu), web(plain)])
	messages(hits) == {concat("", [
		"HorizontalPodAutoscaler grid/h: expected a request for cpu in every container of Deployment grid/web, ",
		`saw none in "a"`,
	])}
}

test_hpa_without_requests_allows if {
	every resources in [{"requests": {"cpu": "1"}}, {"limits": {"cpu": "1"}}] {
		count(references.hpa_without_requests) == 0 with input as world([
			scaler(by_cpu),
			web({"containers": [{"name": "a", "resources": resources}]}),
		])
	}
	by_value := {"metrics": [{"resource": {"name": "cpu", "target": {"type": "AverageValue"}}}]}
	count(references.hpa_without_requests) == 0 with input as world([scaler(by_value), web(plain)])
}

budget(more) := thing("policy/v1", "PodDisruptionBudget", "b", {"spec": object.union(
	{"selector": {"matchLabels": {"app": "web"}}},
	more,
)})

test_pdb_selects_nothing_denies if {
	hits := references.pdb_selects_nothing with input as world([budget({"selector": {"matchLabels": {"app": "x"}}}), web(plain)])
	messages(hits) == {`PodDisruptionBudget grid/b: expected Pods with app=x in namespace "grid", saw none`}
}

test_pdb_selects_nothing_allows if {
	every objects in [[[budget({})], [web(plain)]], [[budget({}), operator]], [[budget({"selector": {}})], []]] {
		count(references.pdb_selects_nothing) == 0 with input as worlds(objects)
	}
}

test_pdb_blocks_drain_denies if {
	every example in [
		[{"maxUnavailable": 0}, "maxUnavailable 0"],
		[{"maxUnavailable": "0%"}, "maxUnavailable 0%"],
		[{"minAvailable": "100%"}, "minAvailable 100%"],
		[{"minAvailable": 2}, "minAvailable 2 of 2 replicas"],
		[{"minAvailable": 3}, "minAvailable 3 of 2 replicas"],
	] {
		hits := references.pdb_blocks_drain with input as world([budget(example[0]), web_of(2, plain)])
		messages(hits) == {sprintf(
			"PodDisruptionBudget grid/b: expected a budget that lets a Pod go, saw %s",
			[example[1]],
		)}
	}
}

test_pdb_blocks_drain_allows if {
	every more in [{"maxUnavailable": 1}, {"minAvailable": 1}, {"minAvailable": "50%"}] {
		count(references.pdb_blocks_drain) == 0 with input as world([budget(more), web_of(2, plain)])
	}
	count(references.pdb_blocks_drain) == 0 with input as world([budget({"minAvailable": 1}), web(plain), scaler({})])
	count(references.pdb_blocks_drain) == 0 with input as world([budget({"minAvailable": 1}), web_of(0, plain)])
}

in_production(objects) := json.patch(world(objects), [{
	"op": "add",
	"path": "/all/applications/0/manifest/spec/destination/namespace",
	"value": "grid-prod",
}])

test_pdb_missing_denies if {
	hits := references.pdb_missing with input as in_production([web_of(2, plain)])
	messages(hits) == {
		"Deployment grid-prod/web: expected a PodDisruptionBudget for 2 replicas in production, saw none",
	}
}

test_pdb_missing_allows if {
	count(references.pdb_missing) == 0 with input as world([web_of(2, plain)])
	count(references.pdb_missing) == 0 with input as in_production([web_of(1, plain)])
	count(references.pdb_missing) == 0 with input as in_production([web_of(2, plain), budget({"maxUnavailable": 1})])
}

database := thing("apps/v1", "StatefulSet", "db", {"spec": {"serviceName": "web"}})

test_statefulset_service_missing_denies if {
	hits := references.statefulset_service_missing with input as world([database])
	messages(hits) == {`StatefulSet grid/db: expected a headless Service "web" in namespace "grid", saw none`}
	others := references.statefulset_service_missing with input as world([database, service({})])
	messages(others) == {`StatefulSet grid/db: expected a headless Service "web" in namespace "grid", saw one with an address`}
}

test_statefulset_service_missing_allows if {
	count(references.statefulset_service_missing) == 0 with input as world([database, service({"clusterIP": "None"})])
	count(references.statefulset_service_missing) == 0 with input as world([thing("apps/v1", "StatefulSet", "db", {"spec": {}})])
}
