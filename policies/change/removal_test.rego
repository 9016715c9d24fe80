package gitops.change_test

import data.gitops.change

claim := thing("v1", "PersistentVolumeClaim", {"spec": {}})

namespace := thing("v1", "Namespace", {})

crd := thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", {})

network_policy := thing("networking.k8s.io/v1", "NetworkPolicy", {})

stateful(spec) := thing("apps/v1", "StatefulSet", {"spec": spec})

deleting := stateful({
	"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
	"volumeClaimTemplates": [{"metadata": {"name": "data"}}],
})

test_claim_removed_denies if {
	every effect in deletions {
		every what in ["removed", "renamed", "replaced"] {
			count(change.claim_removed) == 1 with input as gone_as(what, claim, effect)
			count(change.claim_removed) == 1 with input as gone_as(what, deleting, effect)
		}
	}
}

test_claim_removed_denies_with_what_argocd_does if {
	hits := change.claim_removed with input as object.union(gone(claim, "pruned"), {
		"effectText": "Argo CD prunes the claim, and the volume with it",
		"data": "lost",
	})
	messages(hits) == {concat("", [
		"expected the claim to stay, saw it removed: ",
		"Argo CD prunes the claim, and the volume with it",
	])}
	short := change.claim_removed with input as gone(claim, "pruned")
	messages(short) == {"expected the claim to stay, saw it removed: Argo CD prunes it"}
	lost := change.claim_removed with input as object.union(gone(claim, "pruned"), {"data": "lost"})
	messages(lost) == {"expected the claim to stay, saw it removed: Argo CD prunes it; its data is lost"}
}

test_claim_removed_allows if {
	every effect in others {
		count(change.claim_removed) == 0 with input as gone(claim, effect)
	}
	count(change.claim_removed) == 0 with input as changed(claim, claim)
	count(change.claim_removed) == 0 with input as gone(stateful({"volumeClaimTemplates": [{}]}), "pruned")
	count(change.claim_removed) == 0 with input as gone(thing("example.com/v1", "PersistentVolumeClaim", {}), "pruned")
}

test_statefulset_removed_denies if {
	every effect in deletions {
		count(change.statefulset_removed) == 1 with input as gone(stateful({}), effect)
	}
}

test_statefulset_removed_allows if {
	every effect in others {
		count(change.statefulset_removed) == 0 with input as gone(stateful({}), effect)
	}
	count(change.statefulset_removed) == 0 with input as gone(deleting, "pruned")
	count(change.statefulset_removed) == 0 with input as changed(stateful({}), stateful({"replicas": 2}))
}

test_namespace_removed_denies if {
	every effect in deletions {
		count(change.namespace_removed) == 1 with input as gone(namespace, effect)
	}
}

test_namespace_removed_allows if {
	every effect in others {
		count(change.namespace_removed) == 0 with input as gone(namespace, effect)
	}
	count(change.namespace_removed) == 0 with input as added(namespace)
}

test_crd_removed_denies if {
	every effect in deletions {
		count(change.crd_removed) == 1 with input as gone(crd, effect)
	}
}

test_crd_removed_allows if {
	every effect in array.concat(others, ["kept-crd"]) {
		count(change.crd_removed) == 0 with input as gone(crd, effect)
	}
}

test_network_policy_removed_denies if {
	every effect in deletions {
		count(change.network_policy_removed) == 1 with input as gone(network_policy, effect)
	}
}

test_network_policy_removed_allows if {
	every effect in others {
		count(change.network_policy_removed) == 0 with input as gone(network_policy, effect)
	}
}

test_removed_but_kept_denies if {
	hits := change.removed_but_kept with input as gone(claim, "kept-prune-false")
	messages(hits) == {"expected it to go with its manifest, saw that it stays: it stays, because it has Prune=false"}
	count(change.removed_but_kept) == 1 with input as gone(thing("apps/v1", "Deployment", {}), "kept-no-prune")
}

test_removed_but_kept_allows if {
	every effect in array.concat(deletions, ["moved", "shared", "kept-hook"]) {
		count(change.removed_but_kept) == 0 with input as gone(claim, effect)
	}
	count(change.removed_but_kept) == 0 with input as added(claim)
}

cascading := thing("argoproj.io/v1alpha1", "Application", {"metadata": {"finalizers": [
	"resources-finalizer.argocd.argoproj.io/background",
]}})

bare := thing("argoproj.io/v1alpha1", "Application", {})

test_application_cascade_denies if {
	hits := change.application_cascade with input as gone(cascading, "pruned")
	messages(hits) == {"expected the Application to stay, saw it removed: Argo CD deletes every object that it has"}
	count(change.application_cascade) == 1 with input as gone(bare, "deleted-with-application")
}

test_application_cascade_allows if {
	count(change.application_cascade) == 0 with input as gone(bare, "pruned")
	every effect in others {
		count(change.application_cascade) == 0 with input as gone(cascading, effect)
	}
	count(change.application_cascade) == 0 with input as changed(cascading, cascading)
}

test_application_orphans_denies if {
	count(change.application_orphans) == 1 with input as gone(bare, "pruned")
	hits := change.application_orphans with input as gone(cascading, "orphaned")
	messages(hits) == {concat("", [
		"expected its objects to go with the Application, saw that they stay: ",
		"it stays and belongs to no Application",
	])}
}

test_application_orphans_allows if {
	count(change.application_orphans) == 0 with input as gone(cascading, "pruned")
	count(change.application_orphans) == 0 with input as gone(bare, "moved")
	count(change.application_orphans) == 0 with input as gone(claim, "orphaned")
}

test_application_cascade_denies_a_new_name_that_deletes_under_the_old_one if {
	child := thing("argoproj.io/v1alpha1", "Application", {"spec": {"project": "a"}})
	renamed := object.union(changed(child, child), {"change": "renamed", "effect": "moved", "effectText": "gone."})
	hits := change.application_cascade with input as object.union(renamed, {"data": "unknown"})
	messages(hits) == {"expected the Application to keep its name, saw it renamed: gone."}
	count(change.application_cascade) == 0 with input as object.union(renamed, {"data": ""})
}
