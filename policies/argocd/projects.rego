package gitops.argocd

import data.gitops.lib.argocd
import data.gitops.lib.globs

projects := argocd.of_kind("AppProject")

# METADATA
# title: Project takes from anywhere
# description: |
#   The AppProject permits every repository: whoever can write an Application of it deploys whatever is anywhere on the
#   internet.
# scope: document
# custom:
#   rule: project-any-source
#   subject: repository
#   severity: warning
#   help: List the repositories (a pattern for your organisation will do) in spec.sourceRepos.
project_any_source contains hit if {
	some project in projects
	some i, pattern in project.object.spec.sourceRepos
	pattern in {"*", "**"}
	hit := argocd.hit(project, sprintf("/spec/sourceRepos/%d", [i]), sprintf(
		"expected sourceRepos to name repositories, saw %q",
		[pattern],
	))
}

# METADATA
# title: Project goes anywhere
# description: |
#   The AppProject permits every namespace of every cluster, Argo CD's own included.
# scope: document
# custom:
#   rule: project-any-destination
#   subject: repository
#   severity: warning
#   help: List clusters and namespaces (patterns will do) in spec.destinations.
project_any_destination contains hit if {
	some project in projects
	some i, destination in project.object.spec.destinations
	everywhere(destination)
	hit := argocd.hit(project, sprintf("/spec/destinations/%d", [i]), concat("", [
		"expected destinations to name clusters and namespaces, ",
		"saw every namespace of every cluster",
	]))
}

everywhere(destination) if {
	destination.namespace == "*"
	"*" in {destination[field] | some field in ["server", "name"]}
}

# METADATA
# title: Project reaches Argo CD itself
# description: |
#   A pattern of the AppProject's destinations has Argo CD's own namespace in it: an Application of the project may write
#   Applications, AppProjects and RBAC there, and so give itself any right. Naming the namespace outright is taken for
#   intent.
# scope: document
# custom:
#   rule: project-reaches-argocd
#   subject: repository
#   severity: warning
#   help: Narrow the pattern, or add a destination "!argocd" (the namespace of Argo CD) to refuse it.
project_reaches_argocd contains hit if {
	some project in projects
	home := object.get(project.object.metadata, "namespace", "argocd")
	some i, destination in project.object.spec.destinations
	not everywhere(destination)
	contains(destination.namespace, "*")
	not globs.refuses(destination.namespace)
	globs.matches(destination.namespace, home, null)
	at_home(destination)
	not refused(project.object, home)
	hit := argocd.hit(project, sprintf("/spec/destinations/%d", [i]), sprintf(
		"expected destinations without Argo CD's namespace %q, saw it in %q",
		[home, destination.namespace],
	))
}

at_home(destination) if globs.matches(destination.server, "https://kubernetes.default.svc", null)

at_home(destination) if globs.matches(destination.name, "in-cluster", null)

refused(project, home) if {
	some destination in project.spec.destinations
	globs.refuses(destination.namespace)
	not globs.matches(destination.namespace, home, null)
}

# METADATA
# title: Project may make any cluster-wide object
# description: |
#   The AppProject permits every kind without a namespace: ClusterRoles, webhooks, CRDs. Whoever can write an Application
#   of it rules the cluster.
# scope: document
# custom:
#   rule: project-any-cluster-resource
#   subject: repository
#   severity: warning
#   help: List the groups and kinds that are needed in spec.clusterResourceWhitelist.
project_any_cluster_resource contains hit if {
	some project in projects
	some i, item in project.object.spec.clusterResourceWhitelist
	item.group == "*"
	item.kind == "*"
	hit := argocd.hit(
		project,
		sprintf("/spec/clusterResourceWhitelist/%d", [i]),
		"expected clusterResourceWhitelist to name kinds, saw every kind of every group",
	)
}

# METADATA
# title: Project's role that Argo CD does not take
# description: |
#   A policy of an AppProject's role is not of the form that Argo CD accepts: "p, proj:<project>:<role>, <resource>,
#   <action>, <project>/<object>, allow|deny". Applied from git nothing refuses it, and the role does not have the right.
# scope: document
# custom:
#   rule: project-policy-invalid
#   subject: repository
#   severity: error
#   help: Write the policy in that form; the subject is the role itself.
project_policy_invalid contains hit if {
	some project in projects
	some i, role in project.object.spec.roles
	some j, policy in role.policies
	why := unacceptable(project.object.metadata.name, role.name, [trim_space(part) | some part in split(policy, ",")])
	hit := argocd.hit(project, sprintf("/spec/roles/%d/policies/%d", [i, j]), sprintf("role %q: expected %s", [role.name, why]))
}

project_resources := {"applications", "applicationsets", "logs", "exec", "clusters", "repositories"}

unacceptable(project, role, parts) := min(wrong_shape(parts) | wrong_parts(project, role, parts))

wrong_shape(parts) := {sprintf("six parts that begin with p, saw %q", [concat(", ", parts)]) | not well_shaped(parts)}

well_shaped(parts) if {
	count(parts) == 6
	parts[0] == "p"
}

wrong_parts(project, role, parts) := {sprintf("%s, saw %q", [wish[0], wish[1]]) |
	well_shaped(parts)
	subject := sprintf("proj:%s:%s", [project, role])
	some wish in [
		[sprintf("the subject %s", [subject]), parts[1], parts[1] == subject],
		["a resource of projects", parts[2], parts[2] in project_resources],
		["an action of Argo CD", parts[3], regex.match(known_action, parts[3])],
		[sprintf("an object that begins with %s/", [project]), parts[4], startswith(parts[4], sprintf("%s/", [project]))],
		["allow or deny", parts[5], parts[5] in {"allow", "deny"}],
	]
	wish[2] == false
}

known_action := `^(\*|get|create|update|delete|sync|rollback|override|(action|update|delete)/.*)$`
