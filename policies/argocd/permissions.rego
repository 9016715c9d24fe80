package gitops.argocd

import data.gitops.lib.cluster
import data.gitops.lib.grouping
import data.gitops.lib.identity
import data.gitops.lib.project

# METADATA
# title: Kind not permitted by the project
# description: |
#   An Application renders an object of a kind that its AppProject does not permit: clusterResourceWhitelist and
#   clusterResourceBlacklist for kinds without a namespace, namespaceResourceWhitelist and namespaceResourceBlacklist for
#   the others. Argo CD then syncs nothing of the Application. Patterns are Argo CD's, and so is what a project inherits
#   from global ones. Of a kind that may have a namespace or not, both must be forbidden.
# scope: document
# custom:
#   rule: resource-not-permitted
#   subject: repository
#   severity: error
#   help: Add the kind to the AppProject's list, or leave the object to an Application of another project.
resource_not_permitted contains hit if {
	some key, said in objections
	some n, _ in asked[key]
	hit := cluster.hit(cluster.entries[n], "", sprintf("expected %s, saw %s", [said, trim_prefix(key[1], "/")]))
}

# METADATA
# title: Namespace not permitted by the project
# description: |
#   An object has a namespace of its own, other than that of its Application's destination, and the AppProject does not
#   permit it there. Argo CD then syncs nothing of the Application.
# scope: document
# custom:
#   rule: namespace-not-permitted
#   subject: repository
#   severity: error
#   help: Add the namespace to the AppProject's spec.destinations, or move the object to one that it has.
namespace_not_permitted contains hit if {
	some [i, namespace], numbers in strangers
	owner := project_of[i]
	not project.permits_destination(owner.destinations, project.place_of(destinations[i]), namespace)
	said := sprintf("expected a namespace that AppProject %q permits (%s), saw %s", [
		owner.name, project.spoken_destinations(owner.destinations), namespace,
	])
	some n, _ in numbers
	hit := cluster.hit(cluster.entries[n], "/metadata/namespace", said)
}

# METADATA
# title: Namespace that Argo CD may not make
# description: |
#   The Application has CreateNamespace=true, but its AppProject does not permit Namespaces: where the namespace is not
#   there yet, Argo CD syncs nothing of the Application. A Namespace that some Application renders is taken for made.
# scope: document
# custom:
#   rule: namespace-creation-not-permitted
#   subject: repository
#   severity: warning
#   help: Add {group "", kind Namespace, name <the namespace>} to the AppProject's clusterResourceWhitelist, or drop CreateNamespace=true where somebody else makes the namespace.
namespace_creation_not_permitted contains hit if {
	some i, owner in project_of
	application := input.all.applications[i]
	"CreateNamespace=true" in application.manifest.spec.syncPolicy.syncOptions
	namespace := application.manifest.spec.destination.namespace
	namespace != ""
	not cluster.exists("/Namespace", [identity.cluster(application.manifest), ""], namespace)
	said := project.objection(owner, "Cluster", {"group": "", "kind": "Namespace", "name": namespace})
	hit := {
		"msg": sprintf("CreateNamespace=true: expected %s, saw the Namespace %s", [said, namespace]),
		"application": application.key,
		"pointer": "/spec/syncPolicy/syncOptions",
	}
}

# By name, as far as the repository has them.
effective := {each.metadata.name: project.effective(each) | some each in unique}

unique := [each |
	some i, each in input.all.projects
	not each.metadata.name in {before.metadata.name | some before in array.slice(input.all.projects, 0, i)}
]

# The project of each Application, by the Application's place in the list.
project_of := {i: effective[project_name(application.manifest)] | some i, application in input.all.applications}

project_name(manifest) := [name | some name in [object.get(manifest, ["spec", "project"], ""), "default"]; name != ""][0]

destinations := {i: object.get(application.manifest, ["spec", "destination"], {}) | some i, application in input.all.applications}

homes := {i: object.get(destination, "namespace", "") | some i, destination in destinations}

# What Argo CD passes over, and so asks no project about.
skipped contains n if {
	some n, entry in cluster.entries
	trim_space(entry.object.metadata.annotations["argocd.argoproj.io/hook"]) == "Skip"
}

scopes := {type: project.scopes(group, kind) |
	some type, _ in cluster.types
	[group, kind] := split(type, "/")
}

namespaced := {type | some type, may_have in scopes; may_have == {"Namespaced"}}

# The objects in another namespace than that of their Application, by both.
strangers := grouping.of([[[entry.at[0], namespace], n] |
	some n, entry in cluster.entries
	namespace := entry.object.metadata.namespace
	not namespace in {"", homes[entry.at[0]]}
	entry.type in namespaced
	project_of[entry.at[0]]
	not n in skipped
])

# The objects that are one and the same question, [project, type, name]; a name is asked of what may have no namespace.
asked := grouping.of(array.concat(
	[[[project_of[entry.at[0]].name, entry.type, null], n] |
		some n, entry in cluster.entries
		entry.type in namespaced
		not n in skipped
	],
	[[[project_of[entry.at[0]].name, entry.type, entry.name], n] |
		some n, entry in cluster.entries
		not entry.type in namespaced
		entry.name != ""
		not n in skipped
	],
))

# What the project has against each of them, for every scope that the kind may have.
objections[key] := said if {
	some key, _ in asked
	[owner, type, name] := key
	[group, kind] := split(type, "/")
	names := {"Namespaced": null, "Cluster": name}
	found := [against |
		some scope in ["Namespaced", "Cluster"]
		scope in scopes[type]
		against := project.objection(effective[owner], scope, {"group": group, "kind": kind, "name": names[scope]})
	]
	count(found) == count(scopes[type])
	said := found[0]
}
