package gitops.argocd

import data.gitops.lib.argocd
import data.gitops.lib.production

sets := argocd.of_kind("ApplicationSet")

# METADATA
# title: ApplicationSet chooses the project
# description: |
#   The project of the generated Applications comes from a parameter: whoever can write what the generator reads (a file,
#   a folder's name, a pull request's label) puts an Application into any project, with all its rights.
# scope: document
# custom:
#   rule: applicationset-project-templated
#   subject: repository
#   severity: warning
#   help: Write the project outright; make an ApplicationSet for each project.
applicationset_project_templated contains hit if {
	some each in sets
	project := each.object.spec.template.spec.project
	contains(project, "{{")
	hit := argocd.hit(each, "/spec/template/spec/project", sprintf("expected a project written outright, saw %q", [project]))
}

# METADATA
# title: Missing parameter becomes a text
# description: |
#   With goTemplate and without missingkey=error, a parameter that a generator does not have becomes "<no value>": the
#   Application is made all the same, with a wrong name, path or namespace.
# scope: document
# custom:
#   rule: applicationset-missing-key
#   subject: repository
#   severity: warning
#   help: "Add goTemplateOptions: [missingkey=error] to the spec."
applicationset_missing_key contains hit if {
	some each in sets
	each.object.spec.goTemplate == true
	not "missingkey=error" in object.get(each.object.spec, "goTemplateOptions", [])
	hit := argocd.hit(each, "/spec/goTemplateOptions", "expected goTemplateOptions with missingkey=error, saw none")
}

# METADATA
# title: ApplicationSet of production that takes everything with it
# description: |
#   Deleting the ApplicationSet, or a generator that no longer yields an element, deletes Applications of production with
#   all their objects: preserveResourcesOnDeletion is not set.
# scope: document
# custom:
#   rule: applicationset-cascades
#   subject: repository
#   severity: info
#   help: Set spec.syncPolicy.preserveResourcesOnDeletion, or applicationsSync to create-update, for production.
applicationset_cascades contains hit if {
	some each in sets
	spec := each.object.spec
	not spec.syncPolicy.preserveResourcesOnDeletion == true
	not object.get(spec, ["syncPolicy", "applicationsSync"], "sync") in {"create-only", "create-update"}
	count(production.evidence) > 0 with input as {"application": spec.template}
	hit := argocd.hit(
		each,
		"/spec/syncPolicy",
		"expected preserveResourcesOnDeletion for Applications of production, saw none",
	)
}

# METADATA
# title: Preserved in one place, deleted in another
# description: |
#   The ApplicationSet wants its Applications' objects preserved, but its template gives every Application the resources
#   finalizer outright: Argo CD keeps that finalizer, and deleting the Applications deletes their objects.
# scope: document
# custom:
#   rule: applicationset-not-preserved
#   subject: repository
#   severity: error
#   help: Remove the resources finalizer from spec.template.metadata.finalizers, or preserveResourcesOnDeletion.
applicationset_not_preserved contains hit if {
	some each in sets
	each.object.spec.syncPolicy.preserveResourcesOnDeletion == true
	some i, finalizer in each.object.spec.template.metadata.finalizers
	startswith(finalizer, "resources-finalizer.argocd.argoproj.io")
	hit := argocd.hit(
		each,
		sprintf("/spec/template/metadata/finalizers/%d", [i]),
		sprintf("expected no %s beside preserveResourcesOnDeletion, saw both", [finalizer]),
	)
}
