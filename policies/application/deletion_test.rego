package gitops.application_test

import data.gitops.application

automated(policy) := {"application": {"spec": {"syncPolicy": {"automated": policy}}}}

test_prune_allow_empty_denies_both if {
	count(application.prune_allow_empty) == 1 with input as automated({"prune": true, "allowEmpty": true})
	count(application.prune_allow_empty) == 1 with input as automated({
		"prune": true,
		"allowEmpty": true,
		"enabled": true,
	})
}

test_prune_allow_empty_allows_one_or_none if {
	every policy in [
		{}, {"prune": true}, {"allowEmpty": true}, {"prune": true, "allowEmpty": false},
		{"prune": true, "allowEmpty": true, "enabled": false},
	] {
		count(application.prune_allow_empty) == 0 with input as automated(policy)
	}
	count(application.prune_allow_empty) == 0 with input as {"application": {"spec": {}}}
}

finalized(finalizers) := {"application": {"metadata": {"name": "a", "finalizers": finalizers}}}

test_finalizer_missing_denies_none if {
	count(application.finalizer_missing) == 1 with input as {"application": {"metadata": {"name": "a"}}}
	count(application.finalizer_missing) == 1 with input as finalized(["example.com/other"])
}

test_finalizer_missing_allows_each_of_argo_cd if {
	every suffix in ["", "/foreground", "/background"] {
		finalizer := concat("", ["resources-finalizer.argocd.argoproj.io", suffix])
		count(application.finalizer_missing) == 0 with input as finalized([finalizer])
	}
}

test_finalizer_unknown_denies_a_typing_error if {
	hits := application.finalizer_unknown with input as finalized([
		"example.com/other",
		"resources-finalizer.argocd.argoproj.io/forground",
	])
	{hit.pointer | some hit in hits} == {"/metadata/finalizers/1"}
}

test_finalizer_unknown_allows_each_of_argo_cd_and_of_others if {
	every suffix in ["", "/foreground", "/background"] {
		finalizer := concat("", ["resources-finalizer.argocd.argoproj.io", suffix])
		count(application.finalizer_unknown) == 0 with input as finalized([finalizer, "example.com/other"])
	}
}
