package gitops.workload

import data.gitops.lib.pods

# METADATA
# title: Privileged container
# description: |
#   A privileged container is root on its node, and so on every other workload there. The few that must be (storage
#   and network drivers) deserve a waiver with its reason.
# scope: document
# custom:
#   rule: privileged
#   subject: object
#   severity: error
#   help: Remove privileged, name the capabilities that are needed instead; or waive it with a reason.
privileged contains hit if {
	some container in pods.containers
	container.spec.securityContext.privileged == true
	hit := {
		"msg": sprintf("%s: expected no privileged container, saw privileged: true", [container.title]),
		"pointer": sprintf("%s/securityContext/privileged", [container.pointer]),
	}
}

# METADATA
# title: May run as root
# description: |
#   Without runAsNonRoot a container runs as root whenever its image says so, and an image may say so tomorrow.
# scope: document
# custom:
#   rule: run-as-non-root
#   subject: object
#   severity: warning
#   help: Set securityContext.runAsNonRoot to true for the Pod or for the container.
run_as_non_root contains hit if {
	some container in pods.containers
	not never_root(container.spec)
	hit := {
		"msg": sprintf("%s: expected runAsNonRoot: true, saw %s", [container.title, spoken_user(container.spec)]),
		"pointer": sprintf("%s/securityContext/runAsNonRoot", [container.pointer]),
	}
}

# The container's word counts before the Pod's.
said(container, field) := container.securityContext[field]

said(container, field) := pods.spec.securityContext[field] if {
	object.get(container, ["securityContext", field], null) == null
}

root(container) if said(container, "runAsUser") == 0

declined(container) if said(container, "runAsNonRoot") == false

never_root(container) if {
	said(container, "runAsNonRoot") == true
	not root(container)
}

never_root(container) if said(container, "runAsUser") > 0

spoken_user(container) := "runAsUser: 0" if root(container)

spoken_user(container) := "runAsNonRoot: false" if {
	declined(container)
	not root(container)
}

spoken_user(container) := "neither runAsNonRoot nor runAsUser" if {
	not root(container)
	not declined(container)
}

# METADATA
# title: Files of the node
# description: |
#   A hostPath volume reads or writes the node's own files: what it finds differs from node to node, and it is a way
#   out of the container.
# scope: document
# custom:
#   rule: host-path
#   subject: object
#   severity: warning
#   help: Use an emptyDir, a ConfigMap or a PersistentVolumeClaim instead.
host_path contains hit if {
	some i, volume in pods.spec.volumes
	volume.hostPath
	hit := {
		"msg": sprintf("volume %q: expected no hostPath, saw %q", [
			object.get(volume, "name", ""),
			object.get(volume.hostPath, "path", ""),
		]),
		"pointer": sprintf("%s/volumes/%d/hostPath", [pods.pointer, i]),
	}
}
