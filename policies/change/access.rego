package gitops.change

import data.gitops.lib.change
import data.gitops.lib.rbac

rbac_group := "rbac.authorization.k8s.io"

role_changed if {
	some kind in ["Role", "ClusterRole"]
	change.of(rbac_group, kind)
}

binding_changed if {
	some kind in ["RoleBinding", "ClusterRoleBinding"]
	change.of(rbac_group, kind)
}

# METADATA
# title: Rights widened
# description: |
#   A role gets rights, or a binding subjects, that it did not have before; or the policy of Argo CD does.
# scope: document
# custom:
#   rule: rbac-widened
#   subject: change
#   severity: warning
#   help: Say in the pull request who needs the right and for what.
rbac_widened contains hit if {
	role_changed
	gained := sort({right | some rule in input.object.rules; some right in rights(rule); not had(right)})
	count(gained) > 0
	shown := [sprintf("%s %s", [right.verb, spoken_resource(right)]) | some right in array.slice(gained, 0, 5)]
	hit := {
		"msg": sprintf("expected the rights it had, saw %s%s", [concat(", ", shown), more(count(gained))]),
		"pointer": "/rules",
	}
}

rbac_widened contains hit if {
	binding_changed
	before := {subject_title(subject) | some subject in input.old.subjects}
	gained := sort({subject_title(subject) | some subject in input.object.subjects} - before)
	count(gained) > 0
	hit := {
		"msg": sprintf("expected the subjects it had, saw %s%s", [concat(", ", array.slice(gained, 0, 5)), more(count(gained))]),
		"pointer": "/subjects",
	}
}

rbac_widened contains hit if {
	change.of("", "ConfigMap")
	input.object.metadata.name == "argocd-rbac-cm"
	gained := sort(grants(input.object) - grants(input.old))
	count(gained) > 0
	hit := {
		"msg": sprintf("expected the grants it had, saw %s%s", [concat("; ", array.slice(gained, 0, 5)), more(count(gained))]),
		"pointer": "/data/policy.csv",
	}
}

default more(_) := ""

more(number) := sprintf(" and %d more", [number - 5]) if number > 5

rights(rule) := {right |
	some group in object.get(rule, "apiGroups", [""])
	some resource in array.concat(object.get(rule, "resources", []), object.get(rule, "nonResourceURLs", []))
	some verb in rule.verbs
	some name in array.concat(object.get(rule, "resourceNames", []), [any_name | count(object.get(rule, "resourceNames", [])) == 0])
	right := {"group": group, "resource": resource, "verb": verb, "name": name}
}

any_name := "*"

had(right) if {
	some rule in input.old.rules
	covers(object.get(rule, "apiGroups", [""]), right.group)
	covers(array.concat(object.get(rule, "resources", []), object.get(rule, "nonResourceURLs", [])), right.resource)
	covers(rule.verbs, right.verb)
	names := object.get(rule, "resourceNames", [])
	named(names, right.name)
}

covers(having, _) if "*" in having

covers(having, wanted) if wanted in having

named([], _)

named(names, name) if name in names

spoken_resource(right) := right.resource if right.name == any_name

spoken_resource(right) := sprintf("%s %q", [right.resource, right.name]) if right.name != any_name

subject_title(subject) := sprintf("%s %s", [subject.kind, concat("/", [part |
	some part in [object.get(subject, "namespace", ""), subject.name]
	part != ""
])])

grants(config_map) := {concat(", ", line.fields) |
	some line in rbac.lines(config_map)
	not line.fields[count(line.fields) - 1] == "deny"
} | {sprintf("policy.default %s", [config_map.data["policy.default"]]) | config_map.data["policy.default"] != ""}

# METADATA
# title: cluster-admin newly granted
# description: |
#   This change binds somebody to cluster-admin who was not before: they may do everything.
# scope: document
# custom:
#   rule: cluster-admin-granted
#   subject: change
#   severity: error
#   help: Grant a role with what is needed; waive it, with a reason, for what must rule the cluster.
cluster_admin_granted contains hit if {
	change.is_of(input.object, rbac_group, input.object.kind)
	input.object.kind in {"RoleBinding", "ClusterRoleBinding"}
	input.object.roleRef.name == "cluster-admin"
	before := {subject_title(subject) | input.old.roleRef.name == "cluster-admin"; some subject in input.old.subjects}
	gained := {subject_title(subject) | some subject in input.object.subjects} - before
	count(gained) > 0
	hit := {
		"msg": sprintf("expected nobody new with cluster-admin, saw %s", [concat(", ", sort(gained))]),
		"pointer": "/subjects",
	}
}

# METADATA
# title: Project widened
# description: |
#   An AppProject permits more repositories, destinations or kinds than before, to every Application of it.
# scope: document
# custom:
#   rule: project-widened
#   subject: change
#   severity: warning
#   help: Say in the pull request which Application needs it.
project_widened contains hit if {
	change.of("argoproj.io", "AppProject")
	some field in ["sourceRepos", "destinations", "clusterResourceWhitelist", "namespaceResourceWhitelist", "sourceNamespaces"]
	some item in items(input.object, field)
	not permitted(items(input.old, field), item)
	hit := {
		"msg": sprintf("%s: expected what it had, saw %s too%s", [field, spoken_item(item), because(input.object, field, item)]),
		"pointer": sprintf("/spec/%s", [field]),
	}
}

project_widened contains hit if {
	change.of("argoproj.io", "AppProject")
	some field in ["clusterResourceBlacklist", "namespaceResourceBlacklist"]
	some item in items(input.old, field)
	not permitted(items(input.object, field), item)
	hit := refusal_gone(field, item)
}

project_widened contains hit if {
	change.of("argoproj.io", "AppProject")
	some field in ["sourceRepos", "destinations"]
	some item in items(input.old, field)
	refusal(item)
	not item in items(input.object, field)
	hit := refusal_gone(field, item)
}

refusal_gone(field, item) := {
	"msg": sprintf("%s: expected %s as before, saw it gone", [field, spoken_item(item)]),
	"pointer": sprintf("/spec/%s", [field]),
}

refusal(item) if startswith(item, "!")

refusal(item) if {
	some field in ["server", "name", "namespace"]
	startswith(item[field], "!")
}

# A list of a project. Without namespaceResourceWhitelist it may make every kind that has a namespace, with an empty one
# none; without another list nothing is permitted, or refused (app_project_types.go: IsGroupKindNamePermitted).
items(project, field) := project.spec[field] if not absent(project, field)

items(project, field) := [{"group": "*", "kind": "*"} | field == "namespaceResourceWhitelist"] if absent(project, field)

absent(project, field) if not is_array(object.get(project, ["spec", field], null))

default because(_, _, _) := ""

because(project, field, _) := ", for there is no list" if absent(project, field)

because(_, _, item) := ", which permits whatever it does not refuse" if refusal(item)

# Whether a list has an item, or one that stands for it: "*" is everything. A refusal is an item like others, for Argo CD
# permits by it whatever it does not refuse.
permitted(having, item) if item in having

permitted(having, item) if {
	is_string(item)
	"*" in having
}

permitted(having, item) if {
	some other in having
	other.group in {"*", item.group}
	other.kind in {"*", item.kind}
	object.get(other, "name", "") in {"", "*", object.get(item, "name", "")}
}

permitted(having, item) if {
	some other in having
	other.namespace in {"*", item.namespace}
	on_cluster(other, item)
}

on_cluster(other, _) if "*" in {other[field] | some field in ["server", "name"]}

on_cluster(other, item) if {
	every field in ["server", "name"] {
		object.get(other, field, "") == object.get(item, field, "")
	}
}

spoken_item(item) := item if is_string(item)

spoken_item(item) := concat(" ", [sprintf("%s=%v", [key, item[key]]) | some key in sort(object.keys(item))]) if is_object(item)
