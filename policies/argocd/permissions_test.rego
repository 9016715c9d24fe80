package gitops.argocd_test

import data.gitops.argocd

# An Application of the AppProject grid that renders `objects`; `settings` are Argo CD's own manifests in files.
permitting(spec, objects, settings) := {"all": {
	"projects": [project(spec)],
	"declared": [{"manifest": manifest, "file": "argocd.yaml", "line": 1} | some manifest in settings],
	"applications": [{
		"key": "argocd/news",
		"manifest": {"metadata": {"name": "news"}, "spec": {
			"project": "grid",
			"destination": {"server": here, "namespace": "news"},
			"syncPolicy": {"syncOptions": ["CreateNamespace=true"]},
		}},
		"objects": objects,
	}],
}}

some_object(api_version, kind, metadata) := {"apiVersion": api_version, "kind": kind, "metadata": metadata}

plain_map := some_object("v1", "ConfigMap", {"name": "a"})

deployment := some_object("apps/v1", "Deployment", {"name": "a"})

cluster_role := some_object("rbac.authorization.k8s.io/v1", "ClusterRole", {"name": "reader"})

widget := some_object("example.com/v1", "Widget", {"name": "a"})

crd(scope) := {
	"apiVersion": "apiextensions.k8s.io/v1",
	"kind": "CustomResourceDefinition",
	"metadata": {"name": "widgets.example.com"},
	"spec": {"group": "example.com", "names": {"kind": "Widget"}, "scope": scope},
}

everything := [{"group": "*", "kind": "*"}]

crds := {"group": "apiextensions.k8s.io", "kind": "CustomResourceDefinition"}

# What a project says of its lists, an object, and whether the project takes it. tests/engine/test_projects.py asks
# Argo CD itself about each line of this table and the ones below.
lists := [
	# Kinds with a namespace: without a list all of them, with an empty one none.
	[{}, plain_map, true],
	[{"namespaceResourceWhitelist": null}, plain_map, true],
	[{"namespaceResourceWhitelist": []}, plain_map, false],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "ConfigMap"}]}, plain_map, true],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "Config*"}]}, plain_map, true],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "*Map"}]}, plain_map, true],
	[{"namespaceResourceWhitelist": [{"group": "*", "kind": "ConfigMap"}]}, plain_map, true],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "Config[^S]ap"}]}, plain_map, true],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "Config[^M]ap"}]}, plain_map, false],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "Config?ap"}]}, plain_map, true],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "{ConfigMap,Secret}"}]}, plain_map, false],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "configmap"}]}, plain_map, false],
	[{"namespaceResourceWhitelist": [{"group": "v1", "kind": "ConfigMap"}]}, plain_map, false],
	[{"namespaceResourceWhitelist": [{"group": "apps", "kind": "*"}]}, plain_map, false],
	[{"namespaceResourceWhitelist": [{"group": "app?", "kind": "Deployment"}]}, deployment, true],
	[{"namespaceResourceWhitelist": [{"group": "", "kind": "Deployment"}]}, deployment, false],
	[{"namespaceResourceBlacklist": [{"group": "", "kind": "ConfigMap"}]}, plain_map, false],
	[{"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}, plain_map, true],
	[{"namespaceResourceBlacklist": everything}, plain_map, false],
	[{"namespaceResourceWhitelist": everything, "namespaceResourceBlacklist": [{"group": "apps", "kind": "*"}]}, deployment, false],
	# A list for the other scope says nothing.
	[{"clusterResourceBlacklist": everything}, plain_map, true],
	[{"namespaceResourceBlacklist": everything, "clusterResourceWhitelist": everything}, cluster_role, true],
	# Kinds without one: without a list none of them.
	[{}, cluster_role, false],
	[{"clusterResourceWhitelist": []}, cluster_role, false],
	[{"clusterResourceWhitelist": everything}, cluster_role, true],
	[{"clusterResourceWhitelist": [{"group": "rbac.*", "kind": "Cluster*"}]}, cluster_role, true],
	[{"clusterResourceWhitelist": [{"group": "rbac.authorization.k8s.io", "kind": "ClusterRole"}]}, cluster_role, true],
	[{"clusterResourceWhitelist": [{"group": "", "kind": "ClusterRole"}]}, cluster_role, false],
	[{"clusterResourceWhitelist": [{"group": "*", "kind": "ClusterRole", "name": "reader"}]}, cluster_role, true],
	[{"clusterResourceWhitelist": [{"group": "*", "kind": "ClusterRole", "name": "read*"}]}, cluster_role, true],
	[{"clusterResourceWhitelist": [{"group": "*", "kind": "ClusterRole", "name": "writer"}]}, cluster_role, false],
	[{"clusterResourceWhitelist": [{"group": "*", "kind": "ClusterRole", "name": "read"}]}, cluster_role, false],
	[{"clusterResourceWhitelist": everything, "clusterResourceBlacklist": [{"group": "*", "kind": "ClusterRole"}]}, cluster_role, false],
	[
		{"clusterResourceWhitelist": everything, "clusterResourceBlacklist": [{"group": "*", "kind": "*", "name": "*ead*"}]},
		cluster_role, false,
	],
	[
		{"clusterResourceWhitelist": everything, "clusterResourceBlacklist": [{"group": "*", "kind": "*", "name": "other"}]},
		cluster_role, true,
	],
]

test_resource_not_permitted_denies_what_lists_forbid if {
	every line in lists {
		[spec, object_, permitted] := line
		hits := argocd.resource_not_permitted with input as permitting(spec, [object_], [])
		count(hits) == {true: 0, false: 1}[permitted]
	}
}

test_resource_not_permitted_denies_and_says_by_which_list if {
	one := argocd.resource_not_permitted with input as permitting(
		{"clusterResourceWhitelist": [{"group": "", "kind": "Namespace"}, {"group": "*", "kind": "Priority*", "name": "low"}]},
		[plain_map, cluster_role],
		[],
	)
	one == {{
		"msg": concat("", [
			`ClusterRole reader: expected a kind that AppProject "grid" permits by clusterResourceWhitelist `,
			"(Namespace, */Priority* low), saw rbac.authorization.k8s.io/ClusterRole",
		]),
		"resource": "ClusterRole reader",
		"application": "argocd/news",
		"pointer": "/all/applications/0/objects/1",
	}}
	refusing := {"namespaceResourceBlacklist": [{"group": "", "kind": "*"}]}
	two := argocd.resource_not_permitted with input as permitting(refusing, [plain_map], [])
	{hit.msg | some hit in two} == {concat("", [
		`ConfigMap news/a: expected a kind that AppProject "grid" does not refuse by namespaceResourceBlacklist, `,
		"saw ConfigMap",
	])}
	three := argocd.resource_not_permitted with input as permitting({}, [cluster_role], [])
	{hit.msg | some hit in three} == {concat("", [
		`ClusterRole reader: expected a kind that AppProject "grid" permits by clusterResourceWhitelist (it has none), `,
		"saw rbac.authorization.k8s.io/ClusterRole",
	])}
}

test_resource_not_permitted_denies_each_object if {
	roles := [cluster_role, object.union(cluster_role, {"metadata": {"name": "writer"}}), deployment]
	count(argocd.resource_not_permitted) == 2 with input as permitting({}, roles, [])
	count(argocd.resource_not_permitted) == 1 with input as permitting({"namespaceResourceWhitelist": []}, [deployment], [])
}

# A kind of one's own has the scope that its CustomResourceDefinition says.
test_resource_not_permitted_denies_kinds_of_ones_own if {
	namespaced := {"clusterResourceWhitelist": [crds], "namespaceResourceWhitelist": []}
	count(argocd.resource_not_permitted) == 1 with input as permitting(namespaced, [crd("Namespaced"), widget], [])
	without := {"clusterResourceWhitelist": [crds]}
	count(argocd.resource_not_permitted) == 1 with input as permitting(without, [crd("Cluster"), widget], [])
	count(argocd.resource_not_permitted) == 0 with input as permitting(without, [crd("Namespaced"), widget], [])

	# Whether or not it has a namespace: forbidden.
	count(argocd.resource_not_permitted) == 1 with input as permitting({"namespaceResourceWhitelist": []}, [widget], [])
}

test_resource_not_permitted_allows_what_files_cannot_tell if {
	count(argocd.resource_not_permitted) == 0 with input as permitting({}, [widget], [])
	nowhere := object.union(permitting({}, [cluster_role], []).all, {"projects": []})
	count(argocd.resource_not_permitted) == 0 with input as {"all": nowhere}
}

test_resource_not_permitted_allows_what_is_not_synced if {
	skipped := object.union(cluster_role, {"metadata": {"annotations": {"argocd.argoproj.io/hook": "Skip"}}})
	count(argocd.resource_not_permitted) == 0 with input as permitting({}, [skipped], [])
}

# argocd-cm, by which projects with these labels inherit from the project platform.
inheriting(labels) := object.union(some_object("v1", "ConfigMap", {"name": "argocd-cm"}), {"data": {"globalProjects": yaml.marshal([{
	"projectName": "platform",
	"labelSelector": {"matchLabels": labels},
}])}})

with_platform(labels, objects) := {"all": object.union(permitting({}, objects, [inheriting(labels)]).all, {"projects": [
	project({}),
	object.union(project({"clusterResourceWhitelist": everything}), {"metadata": {"name": "platform"}}),
]})}

test_resource_not_permitted_allows_what_is_inherited if {
	count(argocd.resource_not_permitted) == 0 with input as with_platform({}, [cluster_role])
	count(argocd.resource_not_permitted) == 1 with input as with_platform({"team": "other"}, [cluster_role])
}

elsewhere := some_object("v1", "ConfigMap", {"name": "a", "namespace": "oracle"})

# The destinations of a project, and whether an object may be in the namespace oracle.
places := [
	[null, false],
	[[], false],
	[[{"server": here, "namespace": "news"}], false],
	[[{"server": "https://other", "namespace": "*"}], false],
	[[{"server": "*", "namespace": "*"}, {"server": here, "namespace": "!ora*"}], false],
	[[{"server": "*", "namespace": "*"}, {"server": "!https://kube*", "namespace": "oracle"}], false],
	[[{"name": "in-cluster", "namespace": "orac?"}], false],
	[[{"server": here, "namespace": "{oracle,news}"}], true],
	[[{"server": here, "namespace": "oracle"}], true],
	[[{"server": "*", "namespace": "*"}], true],
	[[{"name": "in-cluster", "namespace": "ora*"}], true],
	[[{"server": here, "namespace": "!kube-system"}], true],
]

test_namespace_not_permitted_denies if {
	every line in places {
		[allowed, permitted] := line
		hits := argocd.namespace_not_permitted with input as permitting({"destinations": allowed}, [elsewhere], [])
		count(hits) == {true: 0, false: 1}[permitted]
	}
}

test_namespace_not_permitted_denies_and_says_what_is_permitted if {
	hits := argocd.namespace_not_permitted with input as permitting(
		{"destinations": [{"server": here, "namespace": "news"}, {"name": "dev", "namespace": "*"}]},
		[plain_map, elsewhere],
		[],
	)
	hits == {{
		"msg": concat("", [
			`ConfigMap oracle/a: expected a namespace that AppProject "grid" permits `,
			"(https://kubernetes.default.svc news, dev *), saw oracle",
		]),
		"resource": "ConfigMap oracle/a",
		"application": "argocd/news",
		"pointer": "/all/applications/0/objects/1/metadata/namespace",
	}}
}

# What the Application's own destination is, destination-not-allowed says; a kind without a namespace is nowhere.
test_namespace_not_permitted_allows_what_is_told_elsewhere if {
	at_home := some_object("v1", "ConfigMap", {"name": "a", "namespace": "news"})
	nowhere := object.union(cluster_role, {"metadata": {"namespace": "oracle"}})
	unknown := object.union(widget, {"metadata": {"namespace": "oracle"}})
	count(argocd.namespace_not_permitted) == 0 with input as permitting({}, [plain_map, at_home, nowhere, unknown], [])
}

test_namespace_creation_not_permitted_denies if {
	every spec in [{}, {"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "other"}]}] {
		hits := argocd.namespace_creation_not_permitted with input as permitting(spec, [plain_map], [])
		{[hit.application, hit.pointer] | some hit in hits} == {["argocd/news", "/spec/syncPolicy/syncOptions"]}
	}
}

test_namespace_creation_not_permitted_denies_and_says_why if {
	hits := argocd.namespace_creation_not_permitted with input as permitting({}, [], [])
	{hit.msg | some hit in hits} == {concat("", [
		`CreateNamespace=true: expected a kind that AppProject "grid" permits by clusterResourceWhitelist (it has none), `,
		"saw the Namespace news",
	])}
}

test_namespace_creation_not_permitted_allows if {
	every item in [{"group": "", "kind": "Namespace"}, {"group": "*", "kind": "*"}, {"group": "", "kind": "Namespace", "name": "new*"}] {
		spec := {"clusterResourceWhitelist": [item]}
		count(argocd.namespace_creation_not_permitted) == 0 with input as permitting(spec, [], [])
	}
}

test_namespace_creation_not_permitted_allows_where_it_is_made if {
	made := some_object("v1", "Namespace", {"name": "news"})
	count(argocd.namespace_creation_not_permitted) == 0 with input as permitting({}, [made], [])
}
