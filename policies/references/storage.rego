package gitops.references

import data.gitops.lib.cluster
import data.gitops.lib.grouping

# The claims that wait for a class to make them a volume: {entry, late}. A class that is not rendered may bind at once or
# late, as the default classes of EKS, GKE, AKS and k3s do.
waiting := [claim |
	some entry in cluster.of_type("/PersistentVolumeClaim")
	not hooked(entry.object)
	object.get(entry.object, ["spec", "volumeName"], "") == ""
	object.get(entry.object, ["spec", "storageClassName"], null) != ""
	claim := {"entry": entry, "late": late(entry)}
]

default late(_) := "perhaps"

late(entry) := "yes" if "WaitForFirstConsumer" in modes(entry)

late(entry) := "no" if {
	count(modes(entry)) > 0
	not "WaitForFirstConsumer" in modes(entry)
}

# How the class of a claim binds, where it is rendered.
modes(entry) := {object.get(class.object, "volumeBindingMode", "Immediate") |
	some class in cluster.of_type("storage.k8s.io/StorageClass")
	class.place[0] == entry.place[0]
	class.name == entry.object.spec.storageClassName
}

# Who mounts a claim, by place and name.
mounting := grouping.of([[[pod.entry.place, volume.persistentVolumeClaim.claimName], n] |
	some n, pod in cluster.pods
	some volume in pod.spec.volumes
])

users(entry) := [cluster.pods[n].entry | some n, _ in mounting[[entry.place, entry.name]]]

default wave(_) := 0

wave(manifest) := to_number(manifest.metadata.annotations["argocd.argoproj.io/sync-wave"])

# METADATA
# title: Claim that waits for a later wave
# description: |
#   A PersistentVolumeClaim is in an earlier sync wave than everything that mounts it. Where its class binds when a Pod
#   comes (WaitForFirstConsumer), it stays Pending, which is Progressing to Argo CD: the next wave, with the Pod, never
#   begins.
# scope: document
# custom:
#   rule: claim-before-its-pods
#   subject: repository
#   severity: warning
#   help: Put the claim into the wave of the first workload that mounts it; waive this where its class binds at once.
claim_before_its_pods contains hit if {
	some claim in waiting
	claim.late != "no"
	mounts := users(claim.entry)
	count(mounts) > 0
	every other in mounts {
		other.at[0] == claim.entry.at[0]
		not hooked(other.object)
		wave(other.object) > wave(claim.entry.object)
	}
	first := min([wave(other.object) | some other in mounts])
	hit := cluster.hit(claim.entry, "/metadata/annotations", sprintf(
		"expected it in the wave of the Pods that mount it (%v), saw it in wave %v, which waits until it is bound",
		[first, wave(claim.entry.object)],
	))
}

# METADATA
# title: Claim that nobody mounts
# description: |
#   A PersistentVolumeClaim whose class is rendered with volumeBindingMode WaitForFirstConsumer, and no Pod mounts it: it
#   stays Pending, and its Application is never Healthy.
# scope: document
# custom:
#   rule: claim-never-bound
#   subject: repository
#   severity: warning
#   help: Remove the claim, or the slip in the claimName of who should mount it.
claim_never_bound contains hit if {
	some claim in waiting
	claim.late == "yes"
	count(users(claim.entry)) == 0
	claim.entry.place in cluster.seen
	hit := cluster.hit(claim.entry, "/spec/storageClassName", sprintf(
		"expected a Pod that mounts it, saw none: class %s binds when one comes",
		[claim.entry.object.spec.storageClassName],
	))
}
