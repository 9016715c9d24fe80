package gitops.change_test

import data.gitops.change

role(rules) := thing("rbac.authorization.k8s.io/v1", "Role", {"rules": rules})

binding(name, subjects) := thing("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", {
	"roleRef": {"kind": "ClusterRole", "name": name},
	"subjects": subjects,
})

reads := {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]}

user(name) := {"kind": "User", "name": name}

rights_of(policy) := thing("v1", "ConfigMap", {"metadata": {"name": "argocd-rbac-cm"}, "data": {"policy.csv": policy}})

test_rbac_widened_denies if {
	every rule in [
		object.union(reads, {"verbs": ["get", "list", "delete"]}),
		object.union(reads, {"resources": ["pods", "secrets"]}),
		object.union(reads, {"apiGroups": ["", "apps"]}),
		object.union(reads, {"verbs": ["*"]}),
	] {
		count(change.rbac_widened) == 1 with input as changed(role([reads]), role([rule]))
	}
	hits := change.rbac_widened with input as changed(role([reads]), role([reads, {
		"apiGroups": [""],
		"resources": ["secrets"],
		"verbs": ["get"],
		"resourceNames": ["web"],
	}]))
	messages(hits) == {`expected the rights it had, saw get secrets "web"`}
	count(change.rbac_widened) == 1 with input as changed(
		role([object.union(reads, {"resourceNames": ["web"]})]),
		role([reads]),
	)
}

test_rbac_widened_denies_new_subjects_and_grants if {
	hits := change.rbac_widened with input as changed(binding("view", [user("a")]), binding("view", [user("a"), user("b")]))
	messages(hits) == {"expected the subjects it had, saw User b"}
	lines := "p, role:a, applications, get, */*, allow"
	policy := change.rbac_widened with input as changed(rights_of(lines), rights_of(concat("\n", [lines, "g, team, role:a"])))
	messages(policy) == {"expected the grants it had, saw g, team, role:a"}
}

test_rbac_widened_allows if {
	every rules in [
		[[reads], [reads]],
		[[reads], [object.union(reads, {"verbs": ["get"]})]],
		[[reads], [object.union(reads, {"resourceNames": ["web"]})]],
		[[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], [reads]],
		[[reads], [
			object.union(reads, {"resources": ["pods"]}),
			object.union(reads, {"resources": ["services"]}),
		]],
	] {
		count(change.rbac_widened) == 0 with input as changed(role(rules[0]), role(rules[1]))
	}
	count(change.rbac_widened) == 0 with input as added(role([reads]))
	count(change.rbac_widened) == 0 with input as changed(binding("view", [user("a"), user("b")]), binding("view", [user("a")]))
	deny := "p, role:a, applications, get, */*, deny"
	count(change.rbac_widened) == 0 with input as changed(rights_of(""), rights_of(concat("\n", ["# a comment", deny])))
}

test_cluster_admin_granted_denies if {
	every before in [added(null), changed(binding("view", [user("a")]), null), changed(binding("cluster-admin", []), null)] {
		hits := change.cluster_admin_granted with input as object.union(before, {"object": binding(
			"cluster-admin",
			[user("a")],
		)})
		messages(hits) == {"expected nobody new with cluster-admin, saw User a"}
	}
}

test_cluster_admin_granted_allows if {
	ruling := binding("cluster-admin", [user("a")])
	count(change.cluster_admin_granted) == 0 with input as changed(ruling, ruling)
	count(change.cluster_admin_granted) == 0 with input as added(binding("view", [user("a")]))
	count(change.cluster_admin_granted) == 0 with input as gone(ruling, "pruned")
}

everywhere := {"server": "*", "namespace": "*"}

not_kube_system := {"server": "*", "namespace": "!kube-system"}

kind(group, name) := {"group": group, "kind": name}

unlimited := "namespaceResourceWhitelist: expected what it had, saw group=* kind=* too, for there is no list"

permitting(spec) := thing("argoproj.io/v1alpha1", "AppProject", {"spec": spec})

test_project_widened_denies if {
	every example in [
		[{"sourceRepos": ["a"]}, {"sourceRepos": ["a", "b"]}, "sourceRepos: expected what it had, saw b too"],
		[
			{},
			{"destinations": [{"server": "s", "namespace": "n"}]},
			"destinations: expected what it had, saw namespace=n server=s too",
		],
		[
			{"clusterResourceWhitelist": []},
			{"clusterResourceWhitelist": [{"group": "*", "kind": "*"}]},
			"clusterResourceWhitelist: expected what it had, saw group=* kind=* too",
		],
		[
			{"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]},
			{},
			"namespaceResourceBlacklist: expected group= kind=Secret as before, saw it gone",
		],
		[
			{"sourceRepos": ["*", "!https://evil"]},
			{"sourceRepos": ["*"]},
			"sourceRepos: expected !https://evil as before, saw it gone",
		],
		[
			{"destinations": [everywhere, not_kube_system]},
			{"destinations": [everywhere]},
			"destinations: expected namespace=!kube-system server=* as before, saw it gone",
		],
		[
			{"namespaceResourceWhitelist": [kind("apps", "Deployment")]},
			{"namespaceResourceWhitelist": [kind("apps", "Deployment"), kind("", "Secret")]},
			"namespaceResourceWhitelist: expected what it had, saw group= kind=Secret too",
		],
		[
			{"namespaceResourceWhitelist": [kind("apps", "Deployment")]},
			{},
			unlimited,
		],
		[{"namespaceResourceWhitelist": []}, {"namespaceResourceWhitelist": null}, unlimited],
	] {
		hits := change.project_widened with input as changed(permitting(example[0]), permitting(example[1]))
		messages(hits) == {example[2]}
	}
}

test_project_widened_allows if {
	every specs in [
		[{"sourceRepos": ["a", "b"]}, {"sourceRepos": ["b"]}],
		[{"sourceRepos": ["*"]}, {"sourceRepos": ["a"]}],
		[{"sourceRepos": ["*"]}, {"sourceRepos": ["*", "!b"]}],
		[{"destinations": [everywhere]}, {"destinations": [everywhere, not_kube_system]}],
		[{"destinations": [{"name": "*", "namespace": "*"}]}, {"destinations": [{"server": "s", "namespace": "n"}]}],
		[
			{"destinations": [{"server": "s", "namespace": "*"}]},
			{"destinations": [{"server": "s", "namespace": "*"}, {"server": "s", "namespace": "!n"}]},
		],
		[{}, {"namespaceResourceBlacklist": [kind("", "Secret")]}],
		[{"namespaceResourceBlacklist": [kind("", "Secret")]}, {"namespaceResourceBlacklist": [kind("*", "*")]}],
		[{}, {"namespaceResourceWhitelist": [kind("apps", "Deployment")]}],
		[{"namespaceResourceWhitelist": null}, {"namespaceResourceWhitelist": []}],
		[{"namespaceResourceWhitelist": [kind("*", "*")]}, {}],
		[{"namespaceResourceWhitelist": [kind("*", "*")]}, {"namespaceResourceWhitelist": [kind("apps", "Deployment")]}],
		[
			{"clusterResourceWhitelist": [kind("", "Namespace")]},
			{"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "web"}]},
		],
	] {
		count(change.project_widened) == 0 with input as changed(permitting(specs[0]), permitting(specs[1]))
	}
}

# Argo CD permits by a refusal whatever it does not name (app_project_types.go: IsSourcePermitted, isDestinationMatched).
test_project_widened_denies_a_refusal_by_itself if {
	every example in [
		[
			{"sourceRepos": ["https://git.example/*"]},
			{"sourceRepos": ["https://git.example/*", "!https://evil"]},
			"sourceRepos: expected what it had, saw !https://evil too, which permits whatever it does not refuse",
		],
		[
			{"destinations": [{"server": "*", "namespace": "grid"}]},
			{"destinations": [{"server": "*", "namespace": "grid"}, not_kube_system]},
			concat("", [
				"destinations: expected what it had, ",
				"saw namespace=!kube-system server=* too, which permits whatever it does not refuse",
			]),
		],
	] {
		hits := change.project_widened with input as changed(permitting(example[0]), permitting(example[1]))
		messages(hits) == {example[2]}
	}
}

test_project_widened_denies_a_name_less_and_another_cluster if {
	named := {"group": "", "kind": "Namespace", "name": "web"}
	every specs in [
		[{"clusterResourceWhitelist": [named]}, {"clusterResourceWhitelist": [kind("", "Namespace")]}],
		[{"destinations": [{"name": "a", "namespace": "*"}]}, {"destinations": [{"name": "b", "namespace": "n"}]}],
		[
			{"destinations": [{"name": "a", "namespace": "*"}]},
			{"destinations": [{"name": "a", "server": "s", "namespace": "*"}]},
		],
		[{"destinations": [{"server": "*"}]}, {"destinations": [{"server": "*", "namespace": "n"}]}],
	] {
		count(change.project_widened) == 1 with input as changed(permitting(specs[0]), permitting(specs[1]))
	}
}
