package gitops.argocd_test

import data.gitops.argocd

set_of(spec) := declared({
	"apiVersion": "argoproj.io/v1alpha1",
	"kind": "ApplicationSet",
	"metadata": {"name": "grid", "namespace": "argocd"},
	"spec": spec,
})

test_applicationset_project_templated_denies if {
	every project_name in ["{{.path.basename}}", "{{ project }}"] {
		count(argocd.applicationset_project_templated) == 1 with input as set_of({"template": {"spec": {"project": project_name}}})
	}
}

test_applicationset_project_templated_allows if {
	count(argocd.applicationset_project_templated) == 0 with input as set_of({"template": {"spec": {"project": "grid"}}})
}

test_applicationset_missing_key_denies if {
	every options in [{}, {"goTemplateOptions": []}, {"goTemplateOptions": ["missingkey=zero"]}] {
		count(argocd.applicationset_missing_key) == 1 with input as set_of(object.union({"goTemplate": true}, options))
	}
}

test_applicationset_missing_key_allows if {
	every spec in [{}, {"goTemplate": false}, {"goTemplate": true, "goTemplateOptions": ["missingkey=error"]}] {
		count(argocd.applicationset_missing_key) == 0 with input as set_of(spec)
	}
}

templated_to(namespace, policy) := set_of({
	"syncPolicy": policy,
	"template": {"metadata": {"name": "{{.name}}"}, "spec": {"source": {}, "destination": {"namespace": namespace}}},
})

test_applicationset_cascades_denies if {
	every policy in [{}, {"preserveResourcesOnDeletion": false}, {"applicationsSync": "sync"}] {
		count(argocd.applicationset_cascades) == 1 with input as templated_to("grid-prod", policy)
	}
}

test_applicationset_cascades_allows if {
	every policy in [{"preserveResourcesOnDeletion": true}, {"applicationsSync": "create-update"}] {
		count(argocd.applicationset_cascades) == 0 with input as templated_to("grid-prod", policy)
	}
	count(argocd.applicationset_cascades) == 0 with input as templated_to("grid-dev", {})
}

preserving(preserve, finalizers) := set_of({
	"syncPolicy": {"preserveResourcesOnDeletion": preserve},
	"template": {"metadata": {"finalizers": finalizers}},
})

finalizer := "resources-finalizer.argocd.argoproj.io"

test_applicationset_not_preserved_denies if {
	every each in [finalizer, concat("/", [finalizer, "background"])] {
		count(argocd.applicationset_not_preserved) == 1 with input as preserving(true, [each])
	}
}

test_applicationset_not_preserved_allows if {
	count(argocd.applicationset_not_preserved) == 0 with input as preserving(true, ["example.com/mine"])
	count(argocd.applicationset_not_preserved) == 0 with input as preserving(false, [finalizer])
}
