package gitops.objects

bindings := {"RoleBinding", "ClusterRoleBinding"}

roles := {"Role", "ClusterRole"}

grants_access if startswith(input.object.apiVersion, "rbac.authorization.k8s.io/")

# METADATA
# title: cluster-admin granted
# description: |
#   A binding to cluster-admin lets its subjects do everything: read every Secret, and take every node. As a RoleBinding it
#   does so in its namespace.
# scope: document
# custom:
#   rule: cluster-admin-binding
#   subject: object
#   severity: warning
#   help: Grant a role with what is needed; waive it, with a reason, for what must rule the cluster.
cluster_admin_binding contains hit if {
	grants_access
	input.object.kind in bindings
	input.object.roleRef.name == "cluster-admin"
	hit := {
		"msg": sprintf("expected a role of its own, saw cluster-admin for %s", [spoken_subjects]),
		"pointer": "/roleRef/name",
	}
}

default spoken_subjects := "nobody"

spoken_subjects := concat(", ", subjects) if {
	subjects := [sprintf("%s %s", [subject.kind, subject.name]) | some subject in input.object.subjects]
	count(subjects) > 0
}

# Who everybody is: without a name, with any name, and every program of the cluster.
everybody := {"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"}

# What Kubernetes itself grants to them.
harmless_roles := {"system:public-info-viewer", "system:discovery", "system:basic-user", "system:service-account-issuer-discovery"}

# METADATA
# title: Granted to everybody
# description: |
#   A binding grants a role to everybody who reaches the API server, or to every program in the cluster.
# scope: document
# custom:
#   rule: anonymous-grant
#   subject: object
#   severity: error
#   help: Name the users, groups and ServiceAccounts that need the role.
anonymous_grant contains hit if {
	grants_access
	input.object.kind in bindings
	not input.object.roleRef.name in harmless_roles
	some i, subject in input.object.subjects
	subject.kind in {"User", "Group"}
	subject.name in everybody
	hit := {
		"msg": sprintf("expected named subjects for %s, saw %s", [input.object.roleRef.name, subject.name]),
		"pointer": sprintf("/subjects/%d", [i]),
	}
}

# METADATA
# title: Role for everything
# description: |
#   A role has every resource of every group or of the core group, or every verb on every group: it grows with each
#   resource that anybody installs.
# scope: document
# custom:
#   rule: role-wildcard
#   subject: object
#   severity: warning
#   help: Name the resources and verbs that are needed.
role_wildcard contains hit if {
	grants_access
	input.object.kind in roles
	not input.object.aggregationRule
	some i, rule in input.object.rules
	why := everything(rule)
	hit := {"msg": sprintf("expected named resources and verbs, saw %s", [why]), "pointer": sprintf("/rules/%d", [i])}
}

everything(rule) := sprintf("resources \"*\" of %s", [spoken_groups(rule)]) if {
	"*" in rule.resources
	some group in rule.apiGroups
	group in {"", "*"}
	not only_reads(rule)
}

everything(rule) := "verbs \"*\" of apiGroups \"*\"" if {
	"*" in rule.verbs
	"*" in rule.apiGroups
	not "*" in rule.resources
}

spoken_groups(rule) := "every group" if "*" in rule.apiGroups

spoken_groups(rule) := "the core group" if not "*" in rule.apiGroups

# Whoever may read everything is told by role-reads-secrets.
only_reads(rule) if {
	every verb in rule.verbs {
		verb in {"get", "list", "watch"}
	}
}

# METADATA
# title: Role that can grow
# description: |
#   A role has rights that lead to all others: escalate or bind roles, impersonate, make tokens, or run commands in any
#   Pod of the cluster.
# scope: document
# custom:
#   rule: role-escalates
#   subject: object
#   severity: warning
#   help: Leave the right out, or narrow it by resourceNames or to a Role of one namespace.
role_escalates contains hit if {
	grants_access
	input.object.kind in roles
	some i, rule in input.object.rules
	count(object.get(rule, "resourceNames", [])) == 0
	ways := escalations(rule)
	count(ways) > 0
	hit := {"msg": sprintf("expected no right to %s, saw it", [concat(" or ", sort(ways))]), "pointer": sprintf("/rules/%d", [i])}
}

escalations(rule) := {sprintf("%s %s", [verb, resource]) |
	some way in leading_up
	some group in rule.apiGroups
	group in {way.group, "*"}
	some verb in way.verbs
	some said in rule.verbs
	said in {verb, "*"}
	some resource in named(rule, group)
	resource in way.resources
}

# What leads to all other rights.
leading_up := [
	{"verbs": {"escalate", "bind"}, "group": rbac_group, "resources": {"roles", "clusterroles"}},
	{"verbs": {"impersonate"}, "group": "", "resources": {"users", "groups", "serviceaccounts"}},
	{"verbs": {"create"}, "group": "", "resources": creating},
]

rbac_group := "rbac.authorization.k8s.io"

# "*" of Kubernetes' RBAC has its roles. That of the core group, or of every group, is told by role-wildcard.
named(rule, group) := {resource | some resource in rule.resources} | {"roles" |
	group == rbac_group
	"*" in rule.resources
}

default creating := {"serviceaccounts/token"}

creating := {"serviceaccounts/token", "pods/exec", "pods/attach"} if input.object.kind == "ClusterRole"

# METADATA
# title: Every Secret of the cluster
# description: |
#   A ClusterRole reads Secrets without naming them: whoever is bound to it for the cluster has every password in it.
# scope: document
# custom:
#   rule: role-reads-secrets
#   subject: object
#   severity: info
#   help: Read Secrets by a Role in their namespace, or name them in resourceNames.
role_reads_secrets contains hit if {
	grants_access
	input.object.kind == "ClusterRole"
	some i, rule in input.object.rules
	some group in rule.apiGroups
	group in {"", "*"}
	some resource in rule.resources
	resource in {"secrets", "*"}
	count(object.get(rule, "resourceNames", [])) == 0
	count({"get", "list", "watch", "*"} & {verb | some verb in rule.verbs}) > 0
	hit := {"msg": "expected Secrets by name or by namespace, saw all of them", "pointer": sprintf("/rules/%d", [i])}
}
