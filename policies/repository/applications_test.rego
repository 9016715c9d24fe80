package gitops.repository_test

import data.gitops.repository

app(key, line, destination, objects) := {
	"key": key,
	"file": "apps.yaml",
	"line": line,
	"manifest": {"spec": {"destination": destination}},
	"objects": objects,
}

all_of(applications) := {"all": {"applications": applications, "projects": [], "secrets": []}}

here := {"server": "https://kubernetes.default.svc", "namespace": "grid"}

test_duplicate_application_denies_the_second if {
	hits := repository.duplicate_application with input as all_of([
		app("argocd/a", 1, here, []),
		app("argocd/a", 30, here, []),
		app("argocd/b", 60, here, []),
	])
	hits == {{
		"msg": "Application argocd/a: expected one of this name, saw another one at apps.yaml:1",
		"application": "argocd/a",
		"resource": "Application argocd/a",
		"file": "apps.yaml",
		"line": 30,
	}}
}

test_duplicate_application_allows_one_name_in_two_namespaces if {
	count(repository.duplicate_application) == 0 with input as all_of([
		app("argocd/a", 1, here, []),
		app("team/a", 2, here, []),
	])
}

config(name) := {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}

in_namespace(object, namespace) := json.patch(object, [{
	"op": "add",
	"path": "/metadata/namespace",
	"value": namespace,
}])

test_shared_object_denies_the_second_owner if {
	hits := repository.shared_object with input as all_of([
		app("argocd/a", 1, here, [config("c"), config("d")]),
		app("argocd/b", 9, {"name": "in-cluster", "namespace": "other"}, [in_namespace(config("c"), "grid")]),
	])
	hits == {{
		"msg": "ConfigMap grid/c: expected one Application to own it in in-cluster, saw it in argocd/a too",
		"application": "argocd/b",
		"resource": "ConfigMap grid/c",
	}}
}

test_shared_object_denies_objects_without_namespace if {
	object := {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}}
	count(repository.shared_object) == 1 with input as all_of([
		app("argocd/a", 1, {"namespace": "x"}, [object]),
		app("argocd/b", 9, {"namespace": "y"}, [object]),
	])
}

test_shared_object_allows_another_cluster_namespace_group_or_name if {
	every other in [
		app("argocd/b", 9, {"name": "prod", "namespace": "grid"}, [config("c")]),
		app("argocd/b", 9, {"namespace": "news"}, [config("c")]),
		app("argocd/b", 9, here, [config("d")]),
		app("argocd/b", 9, here, [json.patch(config("c"), [{"op": "add", "path": "/apiVersion", "value": "x.io/v1"}])]),
	] {
		count(repository.shared_object) == 0 with input as all_of([app("argocd/a", 1, here, [config("c")]), other])
	}
}

test_shared_object_allows_hooks if {
	hook := json.patch(config("c"), [{
		"op": "add",
		"path": "/metadata/annotations",
		"value": {"argocd.argoproj.io/hook": "PreSync"},
	}])
	count(repository.shared_object) == 0 with input as all_of([
		app("argocd/a", 1, here, [hook]),
		app("argocd/b", 9, here, [hook]),
	])
}

child(name) := {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name}}

control := {"namespace": "argocd"}

test_contains_itself_denies_itself if {
	hits := repository.contains_itself with input as all_of([
		app("argocd/root", 1, control, [child("root"), child("leaf")]),
		app("argocd/leaf", 9, here, []),
	])
	hits == {{
		"msg": "Application argocd/root: expected other Applications in what it renders, saw itself",
		"application": "argocd/root",
		"resource": "Application argocd/root",
	}}
}

test_contains_itself_denies_by_way_of_a_child if {
	hits := repository.contains_itself with input as all_of([
		app("argocd/root", 1, control, [child("middle")]),
		app("argocd/middle", 9, control, [child("root")]),
	])
	{hit.application | some hit in hits} == {"argocd/root", "argocd/middle"}
}

test_contains_itself_allows_a_tree if {
	count(repository.contains_itself) == 0 with input as all_of([
		app("argocd/root", 1, control, [child("middle"), child("leaf")]),
		app("argocd/middle", 9, control, [child("leaf")]),
		app("argocd/leaf", 9, here, [config("c")]),
	])
}

test_contains_itself_allows_its_name_in_another_namespace_or_group if {
	count(repository.contains_itself) == 0 with input as all_of([app("argocd/root", 1, control, [
		in_namespace(child("root"), "team"),
		{"apiVersion": "app.k8s.io/v1", "kind": "Application", "metadata": {"name": "root"}},
	])])
}
