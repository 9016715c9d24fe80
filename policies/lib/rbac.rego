# METADATA
# description: Argo CD's RBAC, as its policy CSV has it. What it decides is asked of Argo CD itself elsewhere.
package gitops.lib.rbac

# The lines of a ConfigMap that say something: {key, number, fields}; numbers count from 1. Argo CD reads policy.csv
# and every other key policy.*.csv.
lines(config_map) := [line |
	some key, text in config_map.data
	regex.match(`^policy\.(.*\.)?csv$`, key)
	some i, said in split(text, "\n")
	words := trim_space(said)
	words != ""
	not startswith(words, "#")
	line := {"key": key, "number": i + 1, "fields": fields(words)}
]

fields(words) := [trim_space(field) | some field in split(words, ",")] if not contains(words, "\"")

fields(words) := [trim_space(trim(trim_space(field), "\"")) | some field in regex.find_n(`\s*"[^"]*"|[^,"]+`, words, -1)] if {
	contains(words, "\"")
}

policies(config_map) := [line | some line in lines(config_map); line.fields[0] == "p"; count(line.fields) == 6]

groupings(config_map) := [line | some line in lines(config_map); line.fields[0] == "g"; count(line.fields) == 3]

builtin_roles := {"role:admin", "role:readonly"}

# Who has which roles: {subject: {role}}, with the built-in ones.
membership(config_map) := {subject: roles |
	some subject in ({line.fields[1] | some line in groupings(config_map)} | {"role:admin"})
	roles := {line.fields[2] | some line in groupings(config_map); line.fields[1] == subject} | {role |
		subject == "role:admin"
		role := "role:readonly"
	}
}

# A role and every role that it has itself.
roles_of(config_map, role) := {role} | graph.reachable(known, known[role]) if {
	members := membership(config_map)
	leaves := {leaf: set() | some _, roles in members; some leaf in roles; not members[leaf]}
	known := object.union(members, leaves)
	known[role]
}

roles_of(config_map, role) := {role} if not role in object.keys(membership(config_map))

# What may be asked of each resource; "action", "update" and "delete" of applications also with a resource behind them.
actions := {
	"applications": {"get", "create", "update", "delete", "sync", "rollback", "override"},
	"applicationsets": {"get", "create", "update", "delete"},
	"clusters": {"get", "create", "update", "delete"},
	"projects": {"get", "create", "update", "delete"},
	"repositories": {"get", "create", "update", "delete"},
	"write-repositories": {"get", "create", "update", "delete"},
	"accounts": {"get", "update"},
	"certificates": {"get", "create", "delete"},
	"gpgkeys": {"get", "create", "delete"},
	"logs": {"get"},
	"exec": {"create"},
	"extensions": {"invoke"},
}

# Resources whose objects are "project/name".
of_projects := {"applications", "applicationsets", "logs", "exec"}

matched_resources(pattern) := {resource | some resource, _ in actions; glob.match(pattern, null, resource)}

action_possible(resource, pattern) if {
	some action in actions[resource]
	glob.match(pattern, null, action)
}

action_possible("applications", pattern) if regex.match(`^(action|update|delete|\*|\{.*\})/`, pattern)

action_possible("applications", pattern) if glob.match(pattern, null, "action/apps/Deployment/restart")
