package gitops.application

import data.gitops.lib.globs
import data.gitops.lib.production

# METADATA
# title: Project is default
# description: |
#   The project `default` lets an Application deploy anything from anywhere to anywhere; an AppProject of its own
#   says what it may.
# scope: document
# custom:
#   rule: project-default
#   subject: application
#   severity: warning
#   help: Give the Application an AppProject that names its repositories, clusters and namespaces.
project_default contains hit if {
	object.get(input.application, ["spec", "project"], "default") in {"default", ""}
	hit := {"msg": "project: expected an AppProject of its own, saw \"default\"", "pointer": "/spec/project"}
}

# METADATA
# title: Destination not allowed by the project
# description: |
#   The AppProject found in the repository does not permit the Application's cluster and namespace, so Argo CD
#   refuses to sync it. Patterns are Argo CD's, "!" included; where a destination names a cluster whose URL cannot
#   be known from the files (or the other way round), the rule holds back.
# scope: document
# custom:
#   rule: destination-not-allowed
#   subject: application
#   severity: error
#   help: Add the destination to the AppProject's spec.destinations, or deploy to one that it has.
destination_not_allowed contains hit if {
	is_object(input.project)
	not destination_permitted
	hit := {
		"msg": sprintf("destination %s: expected one that AppProject %q permits (%s)", [
			destination_title, input.project.metadata.name, spoken_list(permitted_titles),
		]),
		"pointer": "/spec/destination",
	}
}

# METADATA
# title: Source not allowed by the project
# description: |
#   The AppProject found in the repository does not list the Application's repository in sourceRepos, so Argo CD
#   refuses to render it. Patterns and the normal form of URLs are Argo CD's.
# scope: document
# custom:
#   rule: source-not-allowed
#   subject: application
#   severity: error
#   help: Add the repository to the AppProject's spec.sourceRepos, or take the source from one that it has.
source_not_allowed contains hit if {
	is_object(input.project)
	some source in production.sources
	not source_permitted(source.repoURL)
	hit := {
		"msg": sprintf("source %s: expected one that AppProject %q permits (%s)", [
			source.repoURL, input.project.metadata.name,
			spoken_list(object.get(input.project, ["spec", "sourceRepos"], [])),
		]),
		"pointer": "/spec/source",
	}
}

destinations := object.get(input.project, ["spec", "destinations"], [])

destination := object.get(input.application, ["spec", "destination"], {})

in_cluster_server := "https://kubernetes.default.svc"

default place_namespace := ""

place_namespace := destination.namespace

# Both names of the cluster as far as the files tell; the one that is not known is left out.
place["server"] := destination.server if destination.server != ""

place["server"] := in_cluster_server if destination.name == "in-cluster"

place["name"] := destination.name if destination.name != ""

place["name"] := "in-cluster" if destination.server == in_cluster_server

destination_permitted if {
	some item in destinations
	destination_matches(item)
	not destination_refused
}

destination_matches(item) if {
	cluster_matches(item)
	namespace_matches(item)
}

cluster_matches(item) if globs.matches(object.get(item, "server", ""), place.server, null)

cluster_matches(item) if globs.matches(object.get(item, "name", ""), place.name, null)

# What is not known may match.
cluster_matches(item) if {
	not place.server
	object.get(item, "server", "") != ""
}

cluster_matches(item) if {
	not place.name
	object.get(item, "name", "") != ""
}

namespace_matches(item) if globs.matches(object.get(item, "namespace", ""), place_namespace, null)

destination_refused if {
	some item in destinations
	namespace_matches(item)
	not destination_matches(item)
	some field in ["server", "name"]
	globs.refuses(item[field])
	not globs.matches(item[field], place[field], null)
	place[field]
}

destination_refused if {
	some item in destinations
	globs.refuses(item.namespace)
	not namespace_matches(item)
	globs.matches(object.get(item, "server", ""), place.server, null)
}

destination_title := sprintf("%s, namespace %q", [
	concat(" ", [text |
		some text in [
			object.get(destination, "name", ""),
			object.get(destination, "server", ""),
		]
		text != ""
	]),
	place_namespace,
])

permitted_titles := [sprintf("%s %s", [cluster, object.get(item, "namespace", "")]) |
	some item in destinations
	cluster := [text | some text in [object.get(item, "name", ""), object.get(item, "server", ""), "?"]; text != ""][0]
]

default spoken_list(_) := "it permits none"

spoken_list(items) := concat(", ", items) if count(items) > 0

source_permitted(url) if {
	some pattern in input.project.spec.sourceRepos
	globs.matches(normal_pattern(pattern), normal_url(url), ["/"])
	not source_refused(url)
}

# "*" alone is everything, slashes included.
source_permitted(url) if {
	"*" in input.project.spec.sourceRepos
	not source_refused(url)
}

source_refused(url) if {
	some pattern in input.project.spec.sourceRepos
	globs.refuses(pattern)
	not globs.matches(normal_pattern(pattern), normal_url(url), ["/"])
}

normal_pattern(pattern) := normal_url(pattern) if not globs.refuses(pattern)

normal_pattern(pattern) := concat("", ["!", normal_url(substring(pattern, 1, -1))]) if globs.refuses(pattern)

# git@host:path and ssh://git@host/path are one, case and ".git" do not count.
normal_url(url) := trim_prefix(trim_suffix(slashed(lower(trim_space(url))), ".git"), "ssh://")

slashed(url) := regex.replace(url, `^([^/:]*@[^/:]+):`, "$1/") if regex.match(`^[^/:]*@[^@]+$`, url)

slashed(url) := url if not regex.match(`^[^/:]*@[^@]+$`, url)
