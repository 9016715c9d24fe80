package gitops.argocd

import data.gitops.lib.argocd
import data.gitops.lib.rbac

rights := argocd.config_maps("argocd-rbac-cm")

line_hit(each, line, said) := argocd.hit(each, sprintf("/data/%s", [line.key]), sprintf(
	"%s, line %d: %s",
	[line.key, line.number, said],
))

# METADATA
# title: RBAC line that Argo CD cannot read
# description: |
#   A line of the policy has not the parts that Argo CD asks for. Argo CD then takes nothing of the whole policy: nobody
#   but the admin may do anything, until the line is mended.
# scope: document
# custom:
#   rule: rbac-line-invalid
#   subject: repository
#   severity: error
#   help: "Write \"p, <subject>, <resource>, <action>, <object>, allow|deny\" or \"g, <user or group>, <role>\"."
rbac_line_invalid contains hit if {
	some each in rights
	some line in rbac.lines(each.object)
	not readable(line.fields)
	hit := line_hit(each, line, sprintf("expected a p line of 6 parts or a g line of 3, saw %d parts that begin with %q", [
		count(line.fields),
		line.fields[0],
	]))
}

readable(fields) if {
	fields[0] == "p"
	count(fields) == 6
}

readable(fields) if {
	fields[0] == "g"
	count(fields) == 3
}

# METADATA
# title: Role that nobody defined
# description: |
#   A user or group is given a role that has no right and is not built in: it is a slip of the pen, and they may do
#   nothing.
# scope: document
# custom:
#   rule: rbac-role-unknown
#   subject: repository
#   severity: error
#   help: Correct the name, or add p lines for the role. role:admin and role:readonly are built in.
rbac_role_unknown contains hit if {
	some each in rights
	defined := rbac.builtin_roles | {line.fields[1] |
		some line in array.concat(rbac.policies(each.object), rbac.groupings(each.object))
	}
	some line in rbac.groupings(each.object)
	role := line.fields[2]
	startswith(role, "role:")
	not role in defined
	hit := line_hit(each, line, sprintf("expected a role that has rights, saw %q", [role]))
}

# METADATA
# title: Role that nobody has
# description: |
#   A role has rights, but no user and no group has the role, and it is not the default: the rights are of no use here.
#   SSO groups must be named in g lines.
# scope: document
# custom:
#   rule: rbac-role-unused
#   subject: repository
#   severity: info
#   help: Give the role to a group by a g line, or remove it.
rbac_role_unused contains hit if {
	some each in rights
	given := (rbac.builtin_roles | {line.fields[2] | some line in rbac.groupings(each.object)}) | {object.get(
		each.object.data,
		"policy.default",
		"",
	)}
	some role in {line.fields[1] | some line in rbac.policies(each.object)}
	startswith(role, "role:")
	not role in given
	hit := argocd.hit(each, "/data/policy.csv", sprintf("expected somebody to have %s, saw no g line for it", [role]))
}

# METADATA
# title: RBAC line that never matches
# description: |
#   A line is about something that Argo CD never asks: a resource or an action that does not exist, an object without its
#   project, or a subject with a wildcard (subjects are compared as they are). A deny of that sort denies nothing.
# scope: document
# custom:
#   rule: rbac-never-matches
#   subject: repository
#   severity: warning
#   help: |
#     Correct the line: objects of applications, applicationsets, logs and exec are <project>/<name>; actions of resources
#     are action/<group>/<kind>/<action>.
rbac_never_matches contains hit if {
	some each in rights
	not each.object.data["policy.matchMode"] == "regex"
	some line in rbac.policies(each.object)
	why := min(mistakes(line.fields))
	hit := line_hit(each, line, sprintf("expected what Argo CD may ask, saw %s", [why]))
}

mistakes(fields) := union({
	{sprintf("the subject %q", [fields[1]]) | contains(fields[1], "*")},
	{sprintf("the resource %q", [fields[2]]) | count(rbac.matched_resources(fields[2])) == 0},
	{sprintf("the action %q of %q", [fields[3], fields[2]]) | not action_possible(fields[2], fields[3])},
	{sprintf("the object %q of %q", [fields[4], fields[2]]) |
		fields[2] in rbac.of_projects
		not regex.match(`[/*?\[{]`, fields[4])
	},
	{sprintf("the effect %q", [fields[5]]) | not fields[5] in {"allow", "deny"}},
})

# An unknown resource is told as that.
action_possible(resource, _) if count(rbac.matched_resources(resource)) == 0

action_possible(resource, action) if {
	some each in rbac.matched_resources(resource)
	rbac.action_possible(each, action)
}

# METADATA
# title: Everything, to somebody
# description: |
#   A line grants every action on every resource, or a shell in every Application's Pods. role:admin is there for those
#   who are meant to have all of it; a role of one's own that grows with Argo CD is not reviewed.
# scope: document
# custom:
#   rule: rbac-wildcard
#   subject: repository
#   severity: warning
#   help: Name resources and actions, or give role:admin to those who are meant to have it.
rbac_wildcard contains hit if {
	some each in rights
	some line in rbac.policies(each.object)
	line.fields[5] == "allow"
	what := too_much(line.fields)
	hit := line_hit(each, line, sprintf("expected named rights for %s, saw %s", [line.fields[1], what]))
}

too_much(fields) := "every action on every resource" if {
	fields[2] in {"*", ".*"}
	fields[3] in {"*", ".*"}
}

too_much(fields) := "exec in every Application" if {
	fields[2] == "exec"
	fields[4] in {"*", "*/*", ".*"}
}

# METADATA
# title: Everybody may change
# description: |
#   policy.default is what everybody has who can log in, and what no deny takes away; it allows more than to read. With
#   anonymous access it is what anybody has.
# scope: document
# custom:
#   rule: rbac-default-wide
#   subject: repository
#   severity: error
#   help: Set policy.default to role:readonly or to nothing, and give rights to groups.
rbac_default_wide contains hit if {
	some each in rights
	default_role := each.object.data["policy.default"]
	default_role != ""
	what := min(more_than_reading(each.object, default_role))
	hit := argocd.hit(each, "/data/policy.default", sprintf(
		"policy.default: expected a role that only reads, saw %s with %s",
		[default_role, what],
	))
}

more_than_reading(config_map, role) := {"every right" | "role:admin" in rbac.roles_of(config_map, role)} | {right |
	some line in rbac.policies(config_map)
	line.fields[1] in rbac.roles_of(config_map, role)
	line.fields[5] == "allow"
	line.fields[3] != "get"
	right := sprintf("%s %s", [line.fields[2], line.fields[3]])
}

# METADATA
# title: Anybody may look
# description: |
#   Argo CD answers without a login: whoever reaches it sees what policy.default allows, manifests and logs included.
# scope: document
# custom:
#   rule: argocd-anonymous
#   subject: repository
#   severity: warning
#   help: Remove users.anonymous.enabled from argocd-cm.
argocd_anonymous contains hit if {
	some each in argocd.config_maps("argocd-cm")
	each.object.data["users.anonymous.enabled"] == "true"
	hit := argocd.hit(each, "/data/users.anonymous.enabled", "users.anonymous.enabled: expected a login, saw \"true\"")
}
