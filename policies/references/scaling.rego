package gitops.references

import data.gitops.lib.cluster
import data.gitops.lib.production

scalers := cluster.of_type("autoscaling/HorizontalPodAutoscaler")

# The type of what a scaler scales; undefined for kinds that only an operator knows.
scaled_type(entry) := type if {
	target := entry.object.spec.scaleTargetRef
	type := sprintf("%s/%s", [split(object.get(target, "apiVersion", "apps/v1"), "/")[0], target.kind])
	cluster.pod_paths[type]
}

# METADATA
# title: Autoscaler of a workload that is not there
# description: |
#   A HorizontalPodAutoscaler scales a workload that no Application renders in its cluster and namespace: it scales
#   nothing.
# scope: document
# custom:
#   rule: hpa-target-missing
#   subject: repository
#   severity: warning
#   help: Correct spec.scaleTargetRef (kind and name), or remove the autoscaler.
hpa_target_missing contains hit if {
	some entry in scalers
	type := scaled_type(entry)
	entry.place in cluster.seen
	target := entry.object.spec.scaleTargetRef
	not cluster.exists(type, entry.place, target.name)
	hit := cluster.hit(entry, "/spec/scaleTargetRef", sprintf(
		"expected %s %q in namespace %q, saw none",
		[target.kind, target.name, entry.place[1]],
	))
}

# METADATA
# title: Replicas written by two
# description: |
#   The manifest sets replicas of a workload that a HorizontalPodAutoscaler scales: every sync of Argo CD sets them back,
#   and self-heal does so at once, under load too. Applications that ignore the difference in /spec/replicas are left
#   alone.
# scope: document
# custom:
#   rule: replicas-fought-over
#   subject: repository
#   severity: warning
#   help: |
#     Leave spec.replicas out of the manifest, or add it to the Application's ignoreDifferences together with the sync
#     option RespectIgnoreDifferences=true.
replicas_fought_over contains hit if {
	some scaler in scalers
	type := scaled_type(scaler)
	some entry in cluster.named(type, scaler.place, scaler.object.spec.scaleTargetRef.name)
	replicas := entry.object.spec.replicas
	not ignored(cluster.manifest(entry), entry.object)
	hit := cluster.hit(entry, "/spec/replicas", sprintf(
		"expected no replicas, because %s sets them, saw %v",
		[cluster.title(scaler), replicas],
	))
}

ignored(application, manifest) if {
	some difference in application.spec.ignoreDifferences
	object.get(difference, "kind", manifest.kind) in {manifest.kind, "*"}
	object.get(difference, "name", manifest.metadata.name) in {manifest.metadata.name, ""}
	some said in array.concat(
		object.get(difference, "jsonPointers", []),
		object.get(difference, "jqPathExpressions", []),
	)
	said in {"/spec/replicas", ".spec.replicas"}
}

ignored(application, _) if {
	some difference in application.spec.ignoreDifferences
	count(object.get(difference, "managedFieldsManagers", [])) > 0
}

# METADATA
# title: Autoscaler without a request to measure by
# description: |
#   A HorizontalPodAutoscaler goes by a percentage of what is requested, and a container of its workload requests none:
#   it cannot compute the percentage and never scales, unless a LimitRange adds the request.
# scope: document
# custom:
#   rule: hpa-without-requests
#   subject: repository
#   severity: warning
#   help: Set the request of that resource in every container of the workload, or scale by AverageValue.
hpa_without_requests contains hit if {
	some scaler in scalers
	type := scaled_type(scaler)
	some i, metric in scaler.object.spec.metrics
	metric.resource.target.type == "Utilization"
	resource := metric.resource.name
	some pod in pods_named(type, scaler.place, scaler.object.spec.scaleTargetRef.name)
	some container in pod.spec.containers
	not requests(container, resource)
	hit := cluster.hit(scaler, sprintf("/spec/metrics/%d", [i]), sprintf(
		"expected a request for %s in every container of %s, saw none in %q",
		[resource, cluster.title(pod.entry), container.name],
	))
}

pods_named(type, place, name) := [cluster.pods[n] | some n, _ in cluster.names[[type, place, name]]]

requests(container, resource) if container.resources.requests[resource]

requests(container, resource) if container.resources.limits[resource]

budgets := cluster.of_type("policy/PodDisruptionBudget")

# METADATA
# title: PodDisruptionBudget that selects nothing
# description: |
#   No workload of the PodDisruptionBudget's cluster and namespace has the labels that it selects: it protects nothing.
#   Namespaces in which no workload is rendered, or an operator may make the Pods, are left alone.
# scope: document
# custom:
#   rule: pdb-selects-nothing
#   subject: repository
#   severity: warning
#   help: Make spec.selector and the labels of the Pod template one and the same.
pdb_selects_nothing contains hit if {
	some entry in budgets
	selector := entry.object.spec.selector
	count(selector) > 0
	cluster.in_place[entry.place]
	not entry.place in cluster.operated
	count(cluster.selected(entry.place, selector)) == 0
	hit := cluster.hit(entry, "/spec/selector", sprintf(
		"expected Pods with %s in namespace %q, saw none",
		[spoken_selector(selector), entry.place[1]],
	))
}

# METADATA
# title: PodDisruptionBudget that lets no Pod go
# description: |
#   The budget permits no eviction at all, so that a node with such a Pod is never drained: an upgrade of the cluster
#   stands still until somebody deletes the Pod by hand.
# scope: document
# custom:
#   rule: pdb-blocks-drain
#   subject: repository
#   severity: warning
#   help: Leave at least one Pod to be evicted (maxUnavailable 1 fits most), or run more replicas than minAvailable.
pdb_blocks_drain contains hit if {
	some entry in budgets
	why := blocks(entry)
	hit := cluster.hit(entry, "/spec", sprintf("expected a budget that lets a Pod go, saw %s", [why]))
}

blocks(entry) := sprintf("maxUnavailable %v", [entry.object.spec.maxUnavailable]) if {
	entry.object.spec.maxUnavailable in {0, "0", "0%"}
}

blocks(entry) := "minAvailable 100%" if entry.object.spec.minAvailable == "100%"

blocks(entry) := sprintf("minAvailable %d of %d replicas", [needed, running]) if {
	needed := entry.object.spec.minAvailable
	is_number(needed)
	chosen := cluster.selected(entry.place, entry.object.spec.selector)
	count(chosen) > 0
	not entry.place in cluster.operated
	every n in chosen {
		cluster.pods[n].entry.object.kind in {"Deployment", "StatefulSet"}
		not scaled(cluster.pods[n].entry)
	}
	running := sum([object.get(cluster.pods[n].entry.object, ["spec", "replicas"], 1) | some n in chosen])
	running > 0
	needed >= running
}

scaled_names := {[type, scaler.place, scaler.object.spec.scaleTargetRef.name] |
	some scaler in scalers
	type := scaled_type(scaler)
}

scaled(entry) if [entry.type, entry.place, entry.name] in scaled_names

budgeted := {n |
	some entry in budgets
	some n in cluster.selected(entry.place, entry.object.spec.selector)
}

# METADATA
# title: No PodDisruptionBudget in production
# description: |
#   A production workload of several replicas has no PodDisruptionBudget: when nodes are drained together, all of its
#   Pods may go at once.
# scope: document
# custom:
#   rule: pdb-missing
#   subject: repository
#   severity: info
#   help: Add a PodDisruptionBudget with maxUnavailable 1 that selects the Pods.
pdb_missing contains hit if {
	some n, pod in cluster.pods
	pod.entry.type in {"apps/Deployment", "apps/StatefulSet"}
	pod.entry.object.spec.replicas > 1
	not n in budgeted
	not pod.entry.place in cluster.operated
	application := cluster.manifest(pod.entry)
	count(production.evidence) > 0 with input as {"application": application}
	hit := cluster.hit(pod.entry, "/spec/replicas", sprintf(
		"expected a PodDisruptionBudget for %d replicas in production, saw none",
		[pod.entry.object.spec.replicas],
	))
}

# METADATA
# title: StatefulSet without its Service
# description: |
#   A StatefulSet names a Service that no Application renders in its cluster and namespace, or one that has an address of
#   its own (not headless): its Pods have no names of their own in DNS.
# scope: document
# custom:
#   rule: statefulset-service-missing
#   subject: repository
#   severity: warning
#   help: Add the Service with clusterIP None under the name in spec.serviceName.
statefulset_service_missing contains hit if {
	some entry in cluster.of_type("apps/StatefulSet")
	name := entry.object.spec.serviceName
	name != ""
	entry.place in cluster.seen
	headless := [service |
		some service in cluster.named("/Service", entry.place, name)
		service.object.spec.clusterIP == "None"
	]
	count(headless) == 0
	hit := cluster.hit(entry, "/spec/serviceName", sprintf(
		"expected a headless Service %q in namespace %q, saw %s",
		[name, entry.place[1], {true: "one with an address", false: "none"}[count(cluster.named("/Service", entry.place, name)) > 0]],
	))
}
