package gitops.change

import data.gitops.lib.change
import data.gitops.lib.images
import data.gitops.lib.pods

scaled_kinds := {"Deployment", "StatefulSet", "ReplicaSet", "Rollout"}

# METADATA
# title: Replicas to zero
# description: |
#   A workload that ran is scaled to nothing: nobody serves any more.
# scope: document
# custom:
#   rule: replicas-to-zero
#   subject: change
#   severity: warning
#   help: Remove the workload if it is not needed; waive it, with an end, if it is only stopped.
replicas_to_zero contains hit if {
	change.both
	input.object.kind in scaled_kinds
	pods.pointer
	input.object.spec.replicas == 0
	old := object.get(input.old, ["spec", "replicas"], 1)
	old > 0
	hit := {"msg": sprintf("expected replicas as before (%v), saw 0", [old]), "pointer": "/spec/replicas"}
}

new_containers := pods.containers if change.both

old_containers := found if {
	found := pods.containers with input as {"object": input.old}
}

# Containers of both sides by name: {old, new}, each as pods.containers has it.
pairs := [{"old": old, "new": new} |
	change.both
	some new in new_containers
	some old in old_containers
	old.title == new.title
]

# Images of one name with versions on both sides.
versions := [{"title": pair.new.title, "pointer": pair.new.pointer, "old": old, "new": new, "from": before, "to": after} |
	some pair in pairs
	images.name(pair.old.spec.image) == images.name(pair.new.spec.image)
	old := images.tag(pair.old.spec.image)
	new := images.tag(pair.new.spec.image)
	before := images.version(old)
	after := images.version(new)
]

# METADATA
# title: Image downgraded
# description: |
#   A container gets an earlier version of its image than before. What the later one has written (a database's files, a
#   schema) the earlier one may not read.
# scope: document
# custom:
#   rule: image-downgraded
#   subject: change
#   severity: warning
#   help: Make sure that it is meant as a way back, and that the earlier version reads the data.
image_downgraded contains hit if {
	some version in versions
	version.to < version.from
	hit := {
		"msg": sprintf("%s: expected version %s or a later one, saw %s", [version.title, version.old, version.new]),
		"pointer": sprintf("%s/image", [version.pointer]),
	}
}

# METADATA
# title: Major version jumped
# description: |
#   A container's image jumps to another major version: the version that may break what worked. Years are no major
#   versions.
# scope: document
# custom:
#   rule: image-major-jump
#   subject: change
#   severity: warning
#   help: Read the release notes of every major version in between; databases often want one after the other.
image_major_jump contains hit if {
	some version in versions
	version.to[0] > version.from[0]
	version.to[0] < 1000
	hit := {
		"msg": sprintf("%s: expected major version %d, saw %s", [version.title, version.from[0], version.new]),
		"pointer": sprintf("%s/image", [version.pointer]),
	}
}

# METADATA
# title: Security weakened
# description: |
#   A workload or Namespace is less confined than before: privileged, as root, with more capabilities, with the node's
#   files, network or processes, or under a lower Pod Security level.
# scope: document
# custom:
#   rule: security-weakened
#   subject: change
#   severity: warning
#   help: Say in the pull request why it is needed, and take only what is needed.
security_weakened contains hit if {
	some pair in pairs
	some what in weaker(pair.old.spec, pair.new.spec)
	hit := {"msg": sprintf("%s: expected what it had, saw %s", [pair.new.title, what]), "pointer": pair.new.pointer}
}

security_weakened contains hit if {
	change.both
	some what in weaker_pod
	hit := {"msg": sprintf("expected what it had, saw %s", [what]), "pointer": pods.pointer}
}

security_weakened contains hit if {
	change.of("", "Namespace")
	label := "pod-security.kubernetes.io/enforce"
	old := object.get(input.old, ["metadata", "labels", label], "privileged")
	new := object.get(input.object, ["metadata", "labels", label], "privileged")
	levels[new] < levels[old]
	hit := {"msg": sprintf("expected Pod Security level %s, saw %s", [old, new]), "pointer": "/metadata/labels"}
}

levels := {"privileged": 0, "baseline": 1, "restricted": 2}

weaker(old, new) := union({flags(old, new), capabilities(old, new), ports(old, new)})

flags(old, new) := union({
	turned_on(old, new),
	turned_off(old, new),
	{"allowPrivilegeEscalation no longer false" |
		old.securityContext.allowPrivilegeEscalation == false
		not new.securityContext.allowPrivilegeEscalation == false
		not new.securityContext.allowPrivilegeEscalation == true
	},
	{"procMount Unmasked" |
		new.securityContext.procMount == "Unmasked"
		not old.securityContext.procMount == "Unmasked"
	},
	{"seccomp Unconfined" |
		new.securityContext.seccompProfile.type == "Unconfined"
		not old.securityContext.seccompProfile.type == "Unconfined"
	},
})

turned_on(old, new) := {sprintf("%s: %v", [field, bad]) |
	some field, bad in {"privileged": true, "allowPrivilegeEscalation": true, "runAsUser": 0}
	new.securityContext[field] == bad
	not old.securityContext[field] == bad
}

# What the Pod says for all its containers counts as well.
turned_off(old, new) := {sprintf("%s no longer true", [field]) |
	some field in ["runAsNonRoot", "readOnlyRootFilesystem"]
	old.securityContext[field] == true
	not new.securityContext[field] == true
	not pods.spec.securityContext[field] == true
}

capabilities(old, new) := {sprintf("capability %s added", [name]) |
	some name in new.securityContext.capabilities.add
	not name in object.get(old, ["securityContext", "capabilities", "add"], [])
} | {sprintf("capability %s no longer dropped", [name]) |
	some name in old.securityContext.capabilities.drop
	not name in object.get(new, ["securityContext", "capabilities", "drop"], [])
	not "ALL" in object.get(new, ["securityContext", "capabilities", "drop"], [])
}

ports(old, new) := {sprintf("hostPort %d", [port.hostPort]) |
	some port in new.ports
	port.hostPort > 0
	not port.hostPort in {was.hostPort | some was in old.ports}
}

old_pod := found if {
	found := pods.spec with input as {"object": input.old}
}

weaker_pod contains sprintf("%s: true", [field]) if {
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	pods.spec[field] == true
	not old_pod[field] == true
}

weaker_pod contains "runAsNonRoot no longer true" if {
	old_pod.securityContext.runAsNonRoot == true
	not pods.spec.securityContext.runAsNonRoot == true
	some container in new_containers
	not container.spec.securityContext.runAsNonRoot == true
}

weaker_pod contains "runAsUser: 0" if {
	pods.spec.securityContext.runAsUser == 0
	not old_pod.securityContext.runAsUser == 0
}

weaker_pod contains "seccomp profile gone" if {
	seccomp(old_pod)
	not seccomp(pods.spec)
}

weaker_pod contains "the token of its ServiceAccount mounted" if {
	old_pod.automountServiceAccountToken == false
	not pods.spec.automountServiceAccountToken == false
}

weaker_pod contains sprintf("hostPath %q", [volume.hostPath.path]) if {
	some volume in pods.spec.volumes
	not volume.hostPath.path in {was.hostPath.path | some was in old_pod.volumes}
}

seccomp(spec) if spec.securityContext.seccompProfile.type in {"RuntimeDefault", "Localhost"}
