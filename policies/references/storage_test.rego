package gitops.references_test

import data.gitops.references

waved(n) := {"metadata": {"annotations": {"argocd.argoproj.io/sync-wave": n}}}

claim(more) := thing("v1", "PersistentVolumeClaim", "data", object.union({"spec": {"storageClassName": "late"}}, more))

class(mode) := thing("storage.k8s.io/v1", "StorageClass", "late", {"volumeBindingMode": mode})

later := object.union(claiming("data"), waved("1"))

test_claim_before_its_pods_denies if {
	every objects in [
		[claim({}), later],
		[claim({}), later, class("WaitForFirstConsumer")],
		[claim(waved("-2")), claiming("data")],
		[thing("v1", "PersistentVolumeClaim", "data", {}), later],
	] {
		hits := references.claim_before_its_pods with input as world(objects)
		count(hits) == 1
	}
	hits := references.claim_before_its_pods with input as world([claim({}), later])
	messages(hits) == {concat("", [
		"PersistentVolumeClaim grid/data: expected it in the wave of the Pods that mount it (1), ",
		"saw it in wave 0, which waits until it is bound",
	])}
}

test_claim_before_its_pods_allows if {
	every objects in [
		[claim({}), later, class("Immediate")],
		[claim({}), claiming("data")],
		[claim(waved("1")), later],
		[claim(waved("no number")), claiming("data")],
		[claim({}), later, object.union(claiming("data"), {"metadata": {"name": "other"}})],
		[claim({"spec": {"storageClassName": ""}}), later],
		[claim({"spec": {"volumeName": "pv"}}), later],
		[claim({"metadata": {"annotations": {"argocd.argoproj.io/hook": "PreSync"}}}), later],
		[claim({})],
	] {
		count(references.claim_before_its_pods) == 0 with input as world(objects)
	}

	# Nothing of another Application waits for this one's waves.
	count(references.claim_before_its_pods) == 0 with input as worlds([[claim({})], [later]])
}

test_claim_never_bound_denies if {
	hits := references.claim_never_bound with input as world([
		claim({}),
		class("WaitForFirstConsumer"),
		claiming("other"),
	])
	messages(hits) == {concat("", [
		"PersistentVolumeClaim grid/data: expected a Pod that mounts it, saw none: ",
		"class late binds when one comes",
	])}
}

test_claim_never_bound_allows if {
	every objects in [
		[claim({}), class("WaitForFirstConsumer"), claiming("data")],
		[claim({}), class("Immediate")],
		[claim({})],
		[claim({"spec": {"volumeName": "pv"}}), class("WaitForFirstConsumer")],
	] {
		count(references.claim_never_bound) == 0 with input as world(objects)
	}
	count(references.claim_never_bound) == 0 with input as worlds([
		[claim({}), class("WaitForFirstConsumer")],
		[claiming("data")],
	])
}
