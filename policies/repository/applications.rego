package gitops.repository

import data.gitops.lib.grouping
import data.gitops.lib.identity

# METADATA
# title: Two Applications of one name
# description: |
#   One namespace holds one Application of a name: the second one overwrites the first, and everything that only the
#   first had is pruned.
# scope: document
# custom:
#   rule: duplicate-application
#   subject: repository
#   severity: error
#   help: Give one of the two another name.
duplicate_application contains hit if {
	some key, unsorted in declared
	count(unsorted) > 1
	places := sort(unsorted)
	some n, place in places
	n > 0
	first := places[0]
	hit := {
		"msg": sprintf("Application %s: expected one of this name, saw another one at %s", [key, spoken(first)]),
		"application": key,
		"file": place.file,
		"line": place.line,
		"resource": sprintf("Application %s", [key]),
	}
}

declared[application.key] contains place if {
	some i, application in input.all.applications
	place := {"file": object.get(application, "file", ""), "line": object.get(application, "line", 0), "index": i}
}

spoken(place) := sprintf("%s:%d", [place.file, place.line]) if place.line > 0

spoken(place) := place.file if not place.line > 0

# METADATA
# title: One object, two Applications
# description: |
#   Two Applications that have the same object in the same cluster take turns in writing it: neither stays Synced, and
#   deleting one deletes the other's object. Hooks are not counted.
# scope: document
# custom:
#   rule: shared-object
#   subject: repository
#   severity: error
#   help: Leave the object to one of the Applications, or give it another name or namespace in the other one.
shared_object contains hit if {
	some id, keys in owners
	count(keys) > 1
	[cluster, _, kind, namespace, name] := id
	sorted := sort(object.keys(keys))
	some n, key in sorted
	n > 0
	resource := concat(" ", [kind, concat("/", [part | some part in [namespace, name]; part != ""])])
	hit := {
		"msg": sprintf("%s: expected one Application to own it in %s, saw it in %s too", [
			resource, cluster, sorted[0],
		]),
		"application": key,
		"resource": resource,
	}
}

owners := grouping.of([[id, application.key] |
	some application in input.all.applications
	cluster := identity.cluster(application.manifest)
	some object in application.objects
	not hook(object)
	id := [
		cluster,
		identity.group(object),
		object.kind,
		identity.namespace(object, application.manifest),
		object.metadata.name,
	]
])

hook(object) if object.metadata.annotations["argocd.argoproj.io/hook"]

hook(object) if object.metadata.annotations["helm.sh/hook"]

# METADATA
# title: An app-of-apps that contains itself
# description: |
#   What the Application renders to has the Application itself in it, directly or by way of a child. Deleting it, or
#   pruning its own entry, deletes everything; a change to it is applied by the very sync that it changes.
# scope: document
# custom:
#   rule: contains-itself
#   subject: repository
#   severity: error
#   help: Move the manifest of the Application out of the path that it renders.
contains_itself contains hit if {
	some key, _ in renders
	key in graph.reachable(renders, renders[key])
	way := sort([child | some child in renders[key]; key in graph.reachable(renders, {child})])
	hit := {
		"msg": sprintf("Application %s: expected other Applications in what it renders, saw %s", [
			key, spoken_way(key, way[0]),
		]),
		"application": key,
		"resource": sprintf("Application %s", [key]),
	}
}

spoken_way(key, child) := "itself" if key == child

spoken_way(key, child) := sprintf("%s, which leads back to it", [child]) if key != child

# Each Application with those that it renders. Two of one name are taken together.
renders[application.key] contains child if {
	some application in input.all.applications
	some object in application.objects
	object.kind == "Application"
	identity.group(object) == "argoproj.io"
	child := sprintf("%s/%s", [identity.namespace(object, application.manifest), object.metadata.name])
}
