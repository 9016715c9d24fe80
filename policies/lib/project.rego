# METADATA
# description: What an AppProject permits, as Argo CD decides it (app_project_types.go; controller/sync.go).
package gitops.lib.project

import data.gitops.lib.argocd
import data.gitops.lib.cluster
import data.gitops.lib.globs
import data.gitops.lib.identity

in_cluster_server := "https://kubernetes.default.svc"

# Both names of an Application's cluster, as far as the files tell; what is not known is left out.
place_of(destination) := {field: said |
	some field in ["server", "name"]
	said := named(destination, field)
}

named(destination, field) := destination[field] if destination[field] != ""

named(destination, "server") := in_cluster_server if {
	object.get(destination, "server", "") == ""
	destination.name == "in-cluster"
}

named(destination, "name") := "in-cluster" if {
	object.get(destination, "name", "") == ""
	destination.server == in_cluster_server
}

# Whether one of `destinations` has the place and the namespace, and none refuses them.
permits_destination(destinations, place, namespace) if {
	some item in destinations
	destination_matches(item, place, namespace)
	not refuses_destination(destinations, place, namespace)
}

destination_matches(item, place, namespace) if {
	cluster_matches(item, place)
	namespace_matches(item, namespace)
}

cluster_matches(item, place) if globs.matches(object.get(item, "server", ""), place.server, null)

cluster_matches(item, place) if globs.matches(object.get(item, "name", ""), place.name, null)

# What is not known may match.
cluster_matches(item, place) if {
	not place.server
	object.get(item, "server", "") != ""
}

cluster_matches(item, place) if {
	not place.name
	object.get(item, "name", "") != ""
}

namespace_matches(item, namespace) if globs.matches(object.get(item, "namespace", ""), namespace, null)

refuses_destination(destinations, place, namespace) if {
	some item in destinations
	namespace_matches(item, namespace)
	not destination_matches(item, place, namespace)
	some field in ["server", "name"]
	globs.refuses(item[field])
	not globs.matches(item[field], place[field], null)
	place[field]
}

refuses_destination(destinations, place, namespace) if {
	some item in destinations
	globs.refuses(item.namespace)
	not namespace_matches(item, namespace)
	globs.matches(object.get(item, "server", ""), place.server, null)
}

# A project with what it inherits from global ones (argocd-cm, globalProjects), each list null where nobody has it.
effective(project) := object.union({field: list_of(members, field) | some field in fields}, {"name": project.metadata.name}) if {
	members := array.concat([project], parents(project))
}

fields := {"destinations"} | {field | some field in lists[_]}

# Which lists say what a project may make, by the scope of the kind.
lists := {
	"Namespaced": {"allowed": "namespaceResourceWhitelist", "refused": "namespaceResourceBlacklist"},
	"Cluster": {"allowed": "clusterResourceWhitelist", "refused": "clusterResourceBlacklist"},
}

parents(project) := [parent |
	some config_map in argocd.config_maps("argocd-cm")
	some item in yaml.unmarshal(config_map.object.data.globalProjects)
	cluster.fits(object.get(item, "labelSelector", {}), object.get(project.metadata, "labels", {}))
	some parent in input.all.projects
	parent.metadata.name == item.projectName
	parent.metadata.name != project.metadata.name
]

list_of(members, field) := [item | some each in members; some item in each.spec[field]] if {
	some each in members
	is_array(each.spec[field])
}

list_of(members, field) := null if {
	every each in members {
		not is_array(object.get(each, ["spec", field], null))
	}
}

# What an effective project has against a thing {group, kind, name} of a scope: what is expected instead. Undefined where
# it permits it. `name` is null for a thing with a namespace: only lists for kinds without one have names.
objection(project, scope, thing) := sprintf("a kind that AppProject %q does not refuse by %s", [project.name, field]) if {
	field := lists[scope].refused
	has(project[field], thing)
}

objection(project, scope, thing) := sprintf("a kind that AppProject %q permits by %s (%s)", [
	project.name, field, spoken(project[field]),
]) if {
	not has(project[lists[scope].refused], thing)
	field := lists[scope].allowed
	not has(project[field], thing)
	limited(scope, project[field])
}

# Without a list, a project may make whatever has a namespace, and nothing that has none.
limited("Cluster", _)

limited("Namespaced", allowed) if allowed != null

has(items, thing) if {
	some item in items
	path_matches(object.get(item, "kind", ""), thing.kind)
	path_matches(object.get(item, "group", ""), thing.group)
	name_matches(object.get(item, "name", ""), thing.name)
}

name_matches("", _)

name_matches(_, null)

name_matches(pattern, name) if {
	name != null
	path_matches(pattern, name)
}

# Go's filepath.Match, by which Argo CD compares groups, kinds and names: `*`, `?` and `[^…]`, but no `**` and no `{…}`.
path_matches(pattern, text) if glob.match(same_glob(pattern), ["/"], text)

same_glob(pattern) := strings.replace_n({"{": `\{`, "}": `\}`, "[^": "[!"}, regex.replace(pattern, `\*+`, "*"))

default spoken(_) := "it has none"

spoken(items) := concat(", ", [text | some item in items; text := title(item)]) if count(items) > 0

title(item) := concat(" ", [part |
	some part in [kind_title(object.get(item, "group", ""), object.get(item, "kind", "")), object.get(item, "name", "")]
	part != ""
])

kind_title("", kind) := kind

kind_title(group, kind) := sprintf("%s/%s", [group, kind]) if group != ""

# Whether a kind has a namespace: the scopes that it may have, as far as the files tell.
scopes(group, kind) := {defined[[group, kind]]}

scopes(group, kind) := {"Cluster"} if {
	not defined[[group, kind]]
	kind in identity.cluster_kinds
}

scopes(group, kind) := {"Namespaced"} if {
	not defined[[group, kind]]
	not kind in identity.cluster_kinds
	of_known_scope(group, kind)
}

scopes(group, kind) := {"Namespaced", "Cluster"} if {
	not defined[[group, kind]]
	not kind in identity.cluster_kinds
	not of_known_scope(group, kind)
}

of_known_scope(group, _) if group in kubernetes_groups

of_known_scope("argoproj.io", kind) if kind in {"Application", "ApplicationSet", "AppProject"}

kubernetes_groups := {
	"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "authentication.k8s.io",
	"authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io",
	"events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
	"rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
}

# By the CustomResourceDefinitions that are rendered; two that do not agree tell nothing.
defined[[group, kind]] := scope if {
	some group, kind
	said := definitions[[group, kind]]
	count(said) == 1
	some scope in said
}

definitions[[spec.group, spec.names.kind]] contains spec.scope if {
	some entry in cluster.of_type("apiextensions.k8s.io/CustomResourceDefinition")
	spec := entry.object.spec
}

# Destinations as a message tells them.
default spoken_destinations(_) := "it permits none"

spoken_destinations(destinations) := concat(", ", [sprintf("%s %s", [where, object.get(item, "namespace", "")]) |
	some item in destinations
	where := [text | some text in [object.get(item, "name", ""), object.get(item, "server", ""), "?"]; text != ""][0]
]) if {
	count(destinations) > 0
}
