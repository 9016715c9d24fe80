package gitops.references_test

import data.gitops.references

container(more) := {"containers": [object.union({"name": "a"}, more)]}

config(values) := thing("v1", "ConfigMap", "settings", {"data": values})

hidden(values) := thing("v1", "Secret", "keys", {"data": values})

config_users := [
	container({"envFrom": [{"configMapRef": {"name": "settings"}}]}),
	container({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]}),
	{"containers": [], "volumes": [{"name": "v", "configMap": {"name": "settings"}}]},
	{"containers": [], "volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}]},
	{"containers": [], "initContainers": [{"name": "b", "envFrom": [{"configMapRef": {"name": "settings"}}]}]},
]

test_configmap_missing_denies_each_use if {
	every spec in config_users {
		hits := references.configmap_missing with input as world([web(spec)])
		messages(hits) == {`Deployment grid/web: expected ConfigMap "settings" in namespace "grid", saw none`}
	}
}

test_configmap_missing_denies_with_the_place if {
	hits := references.configmap_missing with input as worlds([[config({})], [operator, object.union(
		web(config_users[0]),
		{"metadata": {"namespace": "elsewhere"}},
	)]])
	hits == {{
		"msg": `Deployment elsewhere/web: expected ConfigMap "settings" in namespace "elsewhere", saw none`,
		"resource": "Deployment elsewhere/web",
		"application": "argocd/a1",
		"pointer": "/all/applications/1/objects/1/spec/template/spec/containers/0/envFrom/0",
	}}
}

test_configmap_missing_allows_what_another_application_renders if {
	every spec in config_users {
		count(references.configmap_missing) == 0 with input as worlds([[web(spec)], [config({})]])
	}
}

test_configmap_missing_allows_what_need_not_be_there if {
	every spec in [
		container({"envFrom": [{"configMapRef": {"name": "settings", "optional": true}}]}),
		{"containers": [], "volumes": [{"name": "v", "configMap": {"name": "settings", "optional": true}}]},
		{"containers": [], "volumes": [{"name": "v", "configMap": {"name": "kube-root-ca.crt"}}]},
	] {
		count(references.configmap_missing) == 0 with input as world([web(spec)])
	}

	# One Application of the namespace does not render: it may have the ConfigMap.
	count(references.configmap_missing) == 0 with input as worlds([[web(config_users[0])], []])
}

secret_user := container({"envFrom": [{"secretRef": {"name": "keys"}}]})

test_secret_missing_denies if {
	every spec in [
		secret_user,
		container({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}]}),
		{"containers": [], "volumes": [{"name": "v", "secret": {"secretName": "keys"}}]},
		{"containers": [], "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "keys"}}]}}]},
	] {
		count(references.secret_missing) == 1 with input as world([web(spec)])
	}
}

test_secret_missing_denies_once_for_each_workload if {
	twice := container({"env": [
		{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}},
		{"name": "B", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "b"}}},
	]})
	hits := references.secret_missing with input as world([web(twice)])
	messages(hits) == {concat("", [
		"Deployment grid/web: ",
		`expected Secret "keys" in namespace "grid" or something that makes it, saw neither`,
	])}
	count(hits) == 1
}

test_secret_missing_allows_whoever_makes_it if {
	every maker in [
		hidden({}),
		thing("bitnami.com/v1alpha1", "SealedSecret", "keys", {}),
		thing("external-secrets.io/v1", "ExternalSecret", "x", {"spec": {"target": {"name": "keys"}}}),
		thing("cert-manager.io/v1", "Certificate", "x", {"spec": {"secretName": "keys"}}),
		thing("networking.k8s.io/v1", "Ingress", "x", {"spec": {"tls": [{"secretName": "keys"}]}}),
		thing("secrets.hashicorp.com/v1beta1", "VaultStaticSecret", "x", {"spec": {"destination": {"name": "keys"}}}),
	] {
		count(references.secret_missing) == 0 with input as world([web(secret_user), maker])
	}
}

asking := [
	[config({"b": ""}), container({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]})],
	[config({"b": ""}), {"containers": [], "volumes": [{"name": "v", "configMap": {"name": "settings", "items": [{"key": "a"}]}}]}],
	[hidden({"b": ""}), container({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}]})],
]

test_config_key_missing_denies if {
	every example in asking {
		hits := references.config_key_missing with input as world([example[0], web(example[1])])
		some said in messages(hits)
		contains(said, `Deployment grid/web: expected key "a" in `)
		endswith(said, ", saw b")
		count(hits) == 1
	}
}

test_config_key_missing_allows if {
	every example in asking {
		count(references.config_key_missing) == 0 with input as world([
			object.union(example[0], {"data": {"a": ""}}),
			web(example[1]),
		])
	}
	count(references.config_key_missing) == 0 with input as world([hidden({}), web(asking[2][1])])
	every empty in [config({}), thing("v1", "ConfigMap", "settings", {}), thing("v1", "ConfigMap", "settings", {"data": null})] {
		count(references.config_key_missing) == 0 with input as world([empty, web(asking[0][1])])
	}
	count(references.config_key_missing) == 0 with input as world([
		thing("v1", "ConfigMap", "settings", {"binaryData": {"a": "AA=="}}),
		web(asking[0][1]),
	])
}

# What OpenShift fills, beside a key of its own.
injected := [
	["ca-bundle.crt", {"labels": {"config.openshift.io/inject-trusted-cabundle": "true"}}],
	["service-ca.crt", {"annotations": {"service.beta.openshift.io/inject-cabundle": "true"}}],
]

mounting(key) := web({"containers": [], "volumes": [{"name": "v", "configMap": {"name": "settings", "items": [{"key": key}]}}]})

test_config_key_missing_allows_what_openshift_injects if {
	every example in injected {
		filled := object.union(config({"b": ""}), {"metadata": example[1]})
		count(references.config_key_missing) == 0 with input as world([filled, mounting(example[0])])
	}
}

test_config_key_missing_denies_what_openshift_does_not_inject if {
	every example in injected {
		filled := object.union(config({"b": ""}), {"metadata": example[1]})
		hits := references.config_key_missing with input as world([filled, mounting("a")])
		messages(hits) == {sprintf(
			`Deployment grid/web: expected key "a" in ConfigMap grid/settings, saw b, %s`,
			[example[0]],
		)}
	}
}

claiming(name) := web({"containers": [], "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]})

test_claim_missing_denies if {
	hits := references.claim_missing with input as world([claiming("data")])
	messages(hits) == {`Deployment grid/web: expected PersistentVolumeClaim "data" in namespace "grid", saw none`}
}

test_claim_missing_allows if {
	count(references.claim_missing) == 0 with input as world([
		claiming("data"),
		thing("v1", "PersistentVolumeClaim", "data", {}),
	])
	templates := {"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}
	count(references.claim_missing) == 0 with input as world([
		claiming("data-db-0"),
		thing("apps/v1", "StatefulSet", "db", templates),
	])
}
