package gitops.application

import data.gitops.lib.globs
import data.gitops.lib.production
import data.gitops.lib.project

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
			destination_title, input.project.metadata.name, project.spoken_destinations(destinations),
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
	some url in repositories
	not source_permitted(url)
	hit := {
		"msg": sprintf("source %s: expected one that AppProject %q permits (%s)", [
			url, input.project.metadata.name,
			spoken_list(object.get(input.project, ["spec", "sourceRepos"], [])),
		]),
		"pointer": source_pointer,
	}
}

repositories contains source.repoURL if some source in production.sources

# What a hydrator writes to, where that is another repository.
repositories contains url if {
	url := input.application.spec.sourceHydrator.syncSource.repoURL
	url != ""
}

source_pointer := "/spec/sourceHydrator" if production.hydrated

source_pointer := "/spec/source" if not production.hydrated

# METADATA
# title: Namespace of the Application not allowed by the project
# description: |
#   The Application lives in another namespace than Argo CD, and the AppProject does not list that one in
#   sourceNamespaces: Argo CD does not let the Application use the project, and does nothing with it. Patterns are Argo
#   CD's, and an entry between slashes is a regular expression; where such a one cannot be judged here, the rule holds
#   back.
# scope: document
# custom:
#   rule: source-namespace-not-allowed
#   subject: application
#   severity: error
#   help: Add the namespace to the AppProject's spec.sourceNamespaces, or declare the Application in Argo CD's own.
source_namespace_not_allowed contains hit if {
	is_object(input.project)
	lives_in := input.application.metadata.namespace
	home := input.project.metadata.namespace
	not lives_in in {"", home}
	allowed := object.get(input.project, ["spec", "sourceNamespaces"], [])
	not source_namespace_permitted(allowed, lives_in)
	hit := {
		"msg": sprintf("namespace %s: expected one whose Applications may use AppProject %q (sourceNamespaces: %s)", [
			lives_in, input.project.metadata.name, spoken_list(allowed),
		]),
		"pointer": "/metadata/namespace",
	}
}

source_namespace_permitted(allowed, lives_in) if {
	some pattern in allowed
	glob.match(pattern, null, lives_in)
}

source_namespace_permitted(allowed, lives_in) if {
	some pattern in allowed
	regex.match(`^/.+/$`, pattern)
	expression := substring(pattern, 1, count(pattern) - 2)
	may_match(expression, lives_in)
}

may_match(expression, text) if regex.match(expression, text)

# Argo CD's expressions may look ahead; those of OPA cannot.
may_match(expression, _) if not regex.is_valid(expression)

destinations := object.get(input.project, ["spec", "destinations"], [])

destination := object.get(input.application, ["spec", "destination"], {})

default namespace := ""

namespace := destination.namespace

destination_permitted if project.permits_destination(destinations, project.place_of(destination), namespace)

destination_title := sprintf("%s, namespace %q", [
	concat(" ", [text |
		some text in [
			object.get(destination, "name", ""),
			object.get(destination, "server", ""),
		]
		text != ""
	]),
	namespace,
])

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
