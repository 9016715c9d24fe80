package gitops.change_test

import data.gitops.change

deploying(spec) := thing("argoproj.io/v1alpha1", "Application", {"spec": spec})

synced(policy) := deploying({"syncPolicy": policy})

test_sync_policy_switched_denies if {
	every example in [
		[{}, {"automated": {}}, "automated sync: expected off as before, saw on"],
		[{"automated": {}}, {"automated": {"enabled": false}}, "automated sync: expected on as before, saw off"],
		[{"automated": {}}, {"automated": {"selfHeal": true}}, "selfHeal: expected off as before, saw on"],
		[{"automated": {"prune": true}}, {"automated": {}}, "prune: expected on as before, saw off"],
	] {
		hits := change.sync_policy_switched with input as changed(synced(example[0]), synced(example[1]))
		messages(hits) == {example[2]}
	}
}

test_sync_policy_switched_allows if {
	every policies in [
		[{}, {"syncOptions": ["CreateNamespace=true"]}],
		[{"automated": {"prune": true}}, {"automated": {"prune": true, "selfHeal": false}}],
		[{"automated": {}}, {"automated": {"enabled": true}}],
	] {
		count(change.sync_policy_switched) == 0 with input as changed(synced(policies[0]), synced(policies[1]))
	}
	count(change.sync_policy_switched) == 0 with input as added(synced({"automated": {"prune": true}}))
}

test_application_project_changed_denies if {
	hits := change.application_project_changed with input as changed(deploying({"project": "a"}), deploying({"project": "b"}))
	messages(hits) == {`expected project "a" as before, saw "b"`}
	count(change.application_project_changed) == 1 with input as changed(deploying({"project": "a"}), deploying({}))
}

test_application_project_changed_allows if {
	count(change.application_project_changed) == 0 with input as changed(deploying({"project": "default"}), deploying({}))
	count(change.application_project_changed) == 0 with input as added(deploying({"project": "a"}))
}

sent(destination) := deploying({"destination": destination})

test_application_destination_changed_denies if {
	old := sent({"server": "https://a", "namespace": "n"})
	every destination in [{"server": "https://b", "namespace": "n"}, {"server": "https://a", "namespace": "m"}] {
		count(change.application_destination_changed) == 1 with input as changed(old, sent(destination))
	}
	hits := change.application_destination_changed with input as object.union(
		changed(old, sent({"name": "b", "namespace": "n"})),
		{"effectText": "the old objects stay"},
	)
	messages(hits) == {"expected destination https://a/n as before, saw b/n: the old objects stay"}
}

test_application_destination_changed_allows if {
	same := sent({"server": "https://a", "namespace": "n"})
	count(change.application_destination_changed) == 0 with input as changed(same, same)
	own := [{"server": "https://kubernetes.default.svc"}, {"name": "in-cluster"}]
	count(change.application_destination_changed) == 0 with input as changed(sent(own[0]), sent(own[1]))
	count(change.application_destination_changed) == 0 with input as added(same)
}
