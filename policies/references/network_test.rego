package gitops.references_test

import data.gitops.references

test_service_selects_nothing_denies if {
	hits := references.service_selects_nothing with input as world([service({"selector": {"app": "wep"}}), web(plain)])
	messages(hits) == {`Service grid/web: expected Pods with app=wep in namespace "grid", saw none`}

	# Both labels are there, but not on one Pod.
	count(references.service_selects_nothing) == 1 with input as world([
		service({"selector": {"tier": "front"}}),
		web(plain),
		thing("v1", "Pod", "p", {"metadata": {"labels": {"tier": "front"}}, "spec": {"containers": []}}),
	])
}

test_service_selects_nothing_allows if {
	every objects in [
		[[service({}), web(plain)]],
		[[service({})], [web(plain)]],
		[[service({}), operator]],
		[[service({})], []],
		[[service({})]],
		[[thing("v1", "Service", "s", {"spec": {"type": "ExternalName", "externalName": "x"}})]],
		[[thing("v1", "Service", "s", {"spec": {"ports": []}})]],
		[[service({}), thing("v1", "Pod", "p", {"metadata": {"labels": {"app": "web"}}, "spec": {}})]],
		[[service({}), thing("batch/v1", "CronJob", "c", {"spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {
			"app": "web",
		}}}}}}})]],
	] {
		count(references.service_selects_nothing) == 0 with input as worlds(objects)
	}
}

test_service_port_unknown_denies if {
	hits := references.service_port_unknown with input as world([
		service({"ports": [{"port": 80, "targetPort": "htpp"}]}),
		web(plain),
	])
	messages(hits) == {"Service grid/web: expected a container port named \"htpp\" in the Pods it selects, saw http"}
}

test_service_port_unknown_allows if {
	every ports in [
		[{"port": 80, "targetPort": "http"}],
		[{"port": 80, "targetPort": 9999}],
		[{"port": 80, "targetPort": "9999"}],
		[{"port": 80}],
	] {
		count(references.service_port_unknown) == 0 with input as world([service({"ports": ports}), web(plain)])
	}
	odd := service({"ports": [{"port": 80, "targetPort": "odd"}]})
	count(references.service_port_unknown) == 0 with input as world([odd])
	count(references.service_port_unknown) == 0 with input as world([odd, web(plain), operator])
}

ingress(backend) := thing("networking.k8s.io/v1", "Ingress", "i", {"spec": {"rules": [{"http": {"paths": [{"backend": {
	"service": backend,
}}]}}]}})

default_ingress(backend) := thing("networking.k8s.io/v1", "Ingress", "i", {"spec": {"defaultBackend": {"service": backend}}})

route(backend) := thing("gateway.networking.k8s.io/v1", "HTTPRoute", "r", {"spec": {"rules": [{"backendRefs": [backend]}]}})

ways := [
	ingress({"name": "web", "port": {"number": 81}}),
	ingress({"name": "web", "port": {"name": "grpc"}}),
	default_ingress({"name": "web", "port": {"number": 81}}),
	route({"name": "web", "port": 81}),
]

test_ingress_service_missing_denies if {
	every way in ways {
		hits := references.ingress_service_missing with input as world([way])
		{`expected Service "web" in namespace "grid", saw none`} == {split(said, ": ")[1] | some said in messages(hits)}
	}
}

test_ingress_service_missing_allows if {
	every way in ways {
		count(references.ingress_service_missing) == 0 with input as worlds([[way], [service({})]])
		count(references.ingress_service_missing) == 0 with input as world([way, operator])
	}
	every backend in [{"name": "web", "namespace": "of-others"}, {"name": "b", "kind": "Bucket", "group": "example.com"}] {
		count(references.ingress_service_missing) == 0 with input as world([route(backend)])
	}
}

test_ingress_port_unknown_denies if {
	every way in ways {
		count(references.ingress_port_unknown) == 1 with input as world([way, service({})])
	}
	hits := references.ingress_port_unknown with input as world([ways[0], service({})])
	messages(hits) == {"Ingress grid/i: expected port 81 in Service grid/web, saw 80"}
}

test_ingress_port_unknown_allows if {
	every way in [
		ingress({"name": "web", "port": {"number": 80}}),
		ingress({"name": "web", "port": {"name": "http"}}),
		default_ingress({"name": "web", "port": {"number": 80}}),
		route({"name": "web", "port": 80}),
		ingress({"name": "other", "port": {"number": 81}}),
	] {
		count(references.ingress_port_unknown) == 0 with input as world([way, service({})])
	}
}

external(spec) := thing("v1", "Service", "web", {"spec": object.union(
	{"type": "ExternalName", "externalName": "api.example.com"},
	spec,
)})

test_ingress_port_unknown_denies_a_name_of_an_external_name if {
	hits := references.ingress_port_unknown with input as world([ways[1], external({})])
	messages(hits) == {"Ingress grid/i: expected port grpc in Service grid/web, saw none"}

	# Only an ExternalName goes without ports.
	count(references.ingress_port_unknown) == 1 with input as world([ways[0], service({"ports": []})])
}

test_ingress_port_unknown_allows_a_number_of_an_external_name if {
	every way in [ways[0], ways[2], ways[3]] {
		every spec in [{}, {"ports": []}, {"ports": [{"port": 443}]}] {
			count(references.ingress_port_unknown) == 0 with input as world([way, external(spec)])
		}
	}
}

network_policy(selector) := thing("networking.k8s.io/v1", "NetworkPolicy", "n", {"spec": {"podSelector": selector}})

test_network_policy_selects_nothing_denies if {
	every selector in [
		{"matchLabels": {"app": "wep"}},
		{"matchExpressions": [{"key": "app", "operator": "In", "values": ["wep"]}]},
		{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
		{"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
		{"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]},
	] {
		count(references.network_policy_selects_nothing) == 1 with input as world([network_policy(selector), web(plain)])
	}
}

test_network_policy_selects_nothing_allows if {
	every selector in [
		{},
		{"matchLabels": {"app": "web"}},
		{"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
		{"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["wep"]}]},
		{"matchExpressions": [{"key": "app", "operator": "Exists"}]},
		{"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
	] {
		count(references.network_policy_selects_nothing) == 0 with input as world([network_policy(selector), web(plain)])
	}
	count(references.network_policy_selects_nothing) == 0 with input as world([
		network_policy({"matchLabels": {"app": "x"}}),
		operator,
	])
}
