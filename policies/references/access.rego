package gitops.references

import data.gitops.lib.cluster

# METADATA
# title: ServiceAccount that is not there
# description: |
#   A workload names a ServiceAccount that no Application renders in its cluster and namespace: no Pod of it is created.
#   The account may be made outside the repository, so this is a warning.
# scope: document
# custom:
#   rule: service-account-missing
#   subject: repository
#   severity: warning
#   help: Correct serviceAccountName, or add the ServiceAccount.
service_account_missing contains hit if {
	some pod in cluster.pods
	not hooked(pod.entry.object)
	name := pod.spec.serviceAccountName
	not name in {"", "default"}
	pod.entry.place in cluster.settled
	not cluster.exists("/ServiceAccount", pod.entry.place, name)
	hit := cluster.hit(pod.entry, sprintf("%s/serviceAccountName", [pod.pointer]), sprintf(
		"expected ServiceAccount %q in namespace %q, saw none",
		[name, pod.entry.place[1]],
	))
}

binding_types := {"rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding"}

bindings := [entry | some type in binding_types; some entry in cluster.of_type(type)]

# METADATA
# title: Role that is not there
# description: |
#   A RoleBinding names a Role that no Application renders in its cluster and namespace: it grants nothing. ClusterRoles
#   often come with the cluster and are not asked for.
# scope: document
# custom:
#   rule: role-missing
#   subject: repository
#   severity: warning
#   help: Correct roleRef, or add the Role.
role_missing contains hit if {
	some entry in bindings
	entry.object.roleRef.kind == "Role"
	name := entry.object.roleRef.name
	entry.place in cluster.seen
	not cluster.exists("rbac.authorization.k8s.io/Role", entry.place, name)
	hit := cluster.hit(entry, "/roleRef", sprintf(
		"expected Role %q in namespace %q, saw none",
		[name, entry.place[1]],
	))
}

# METADATA
# title: Rights for a ServiceAccount that is not there
# description: |
#   A binding grants a role to a ServiceAccount of a namespace that this repository fills, but no Application renders the
#   account: the workload that needs the rights runs under another name, or the rights wait for whoever makes it.
# scope: document
# custom:
#   rule: binding-subject-missing
#   subject: repository
#   severity: warning
#   help: Correct the subject's name or namespace, or add the ServiceAccount.
binding_subject_missing contains hit if {
	some entry in bindings
	some i, subject in entry.object.subjects
	subject.kind == "ServiceAccount"
	subject.name != "default"
	place := [entry.place[0], subject_namespace(subject, entry)]
	place in (accounted - cluster.operated)
	not cluster.exists("/ServiceAccount", place, subject.name)
	hit := cluster.hit(entry, sprintf("/subjects/%d", [i]), sprintf(
		"expected ServiceAccount %q in namespace %q, saw none",
		[subject.name, place[1]],
	))
}

subject_namespace(subject, entry) := object.get(subject, "namespace", entry.place[1])

# Places whose workloads or accounts are rendered here.
accounted := {pod.entry.place | some pod in cluster.pods} | {entry.place |
	some entry in cluster.of_type("/ServiceAccount")
}
