package gitops.change

import data.gitops.lib.change

removed(group, kind) if change.is_of(change.gone, group, kind)

leaving(noun) := {
	"msg": sprintf("expected %s to stay, saw it %s: %s%s", [noun, input.change, change.fate, change.data_fate]),
	"pointer": "",
}

# METADATA
# title: Claim removed
# description: |
#   A PersistentVolumeClaim goes, or a StatefulSet that deletes its claims when it goes: with most storage classes the
#   volume is deleted with the claim, and what is on it is lost for good.
# scope: document
# custom:
#   rule: claim-removed
#   subject: change
#   severity: error
#   help: |
#     Keep the claim (annotation argocd.argoproj.io/sync-options: Prune=false,Delete=false) until its data is elsewhere;
#     waive it if the data may go.
claim_removed contains leaving("the claim") if removed("", "PersistentVolumeClaim")

claim_removed contains leaving("the StatefulSet, which deletes its claims when it goes,") if {
	removed("apps", "StatefulSet")
	deletes_claims
}

deletes_claims if {
	change.gone.spec.persistentVolumeClaimRetentionPolicy.whenDeleted == "Delete"
	count(change.gone.spec.volumeClaimTemplates) > 0
}

# METADATA
# title: StatefulSet removed
# description: |
#   A StatefulSet goes: its Pods are stopped. Its claims stay, owned by nobody, and a StatefulSet of another name does not
#   find them.
# scope: document
# custom:
#   rule: statefulset-removed
#   subject: change
#   severity: warning
#   help: Make sure that the data is no longer needed or is somewhere else; delete the claims by hand when it is.
statefulset_removed contains leaving("the StatefulSet") if {
	removed("apps", "StatefulSet")
	not deletes_claims
}

# METADATA
# title: Namespace removed
# description: |
#   A Namespace goes, and with it everything that is in it, whoever made it: other Applications' objects, claims, Secrets
#   made by hand.
# scope: document
# custom:
#   rule: namespace-removed
#   subject: change
#   severity: error
#   help: Empty the Namespace first; keep it with Prune=false if others use it.
namespace_removed contains leaving("the Namespace and everything in it") if removed("", "Namespace")

# METADATA
# title: CRD removed
# description: |
#   A CustomResourceDefinition goes, and with it every object of its kind in every namespace of the cluster.
# scope: document
# custom:
#   rule: crd-removed
#   subject: change
#   severity: error
#   help: Remove the objects of its kind first; keep the CRD with Prune=false until nobody has any.
crd_removed contains leaving("the CRD and every object of its kind") if {
	removed("apiextensions.k8s.io", "CustomResourceDefinition")
}

# METADATA
# title: NetworkPolicy removed
# description: |
#   A NetworkPolicy goes: the Pods that no other policy selects are open to everybody.
# scope: document
# custom:
#   rule: network-policy-removed
#   subject: change
#   severity: warning
#   help: Make sure that another policy selects the same Pods.
network_policy_removed contains leaving("the NetworkPolicy") if removed("networking.k8s.io", "NetworkPolicy")

# METADATA
# title: Removed from git, kept in the cluster
# description: |
#   An object leaves git and stays in the cluster: it goes on running and answering, but nobody's change reaches it any
#   more.
# scope: document
# custom:
#   rule: removed-but-kept
#   subject: change
#   severity: info
#   help: Delete it by hand when it is no longer needed, or let Argo CD prune it.
removed_but_kept contains hit if {
	old := change.kept
	not change.is_of(old, "argoproj.io", "Application")
	not change.effect == "kept-hook"
	hit := {"msg": sprintf("expected it to go with its manifest, saw that it stays: %s", [change.fate]), "pointer": ""}
}

# METADATA
# title: Application removed with all it has
# description: |
#   An Application goes and has the resources finalizer: Argo CD deletes every object of it, claims and Namespaces
#   included. Where a parent or ApplicationSet deletes what it no longer has, another name is the same: the Application
#   of the old name goes, with every object that the one of the new name has not taken over by then.
# scope: document
# custom:
#   rule: application-cascade
#   subject: change
#   severity: error
#   help: |
#     If the objects are to stay, take the finalizer off in a change of its own first; if they are to go, waive this with
#     the reason.
application_cascade contains hit if {
	change.is_of(change.gone, "argoproj.io", "Application")
	cascades(change.gone)
	hit := {
		"msg": sprintf("expected the Application to stay, saw it %s: %s", [input.change, cascade_fate]),
		"pointer": "",
	}
}

# For Argo CD another name is another Application: the old one goes, and takes along what the new one has not got yet.
application_cascade contains hit if {
	input.change == "renamed"
	change.of("argoproj.io", "Application")
	input.data == "unknown"
	hit := {
		"msg": sprintf("expected the Application to keep its name, saw it renamed: %s", [change.fate]),
		"pointer": "/metadata/name",
	}
}

cascades(_) if change.effect == "deleted-with-application"

cascades(manifest) if {
	some finalizer in manifest.metadata.finalizers
	startswith(finalizer, "resources-finalizer.argocd.argoproj.io")
}

cascade_fate := change.fate if change.said

cascade_fate := "Argo CD deletes every object that it has" if not change.said

# METADATA
# title: Application removed, objects left
# description: |
#   An Application goes and leaves its objects behind: they run on and belong to nobody.
# scope: document
# custom:
#   rule: application-orphans
#   subject: change
#   severity: warning
#   help: Delete the objects by hand, or add the resources finalizer in a change of its own first.
application_orphans contains left if change.is_of(change.kept, "argoproj.io", "Application")

application_orphans contains left if {
	change.is_of(change.gone, "argoproj.io", "Application")
	not cascades(change.gone)
}

left := {
	"msg": sprintf("expected its objects to go with the Application, saw that they stay: %s", [change.fate]),
	"pointer": "",
}
