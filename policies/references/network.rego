package gitops.references

import data.gitops.lib.cluster

# METADATA
# title: Service that selects nothing
# description: |
#   No workload of the Service's cluster and namespace has the labels that it selects: it answers nobody. Namespaces in
#   which no workload is rendered, or an operator may make the Pods, are left alone.
# scope: document
# custom:
#   rule: service-selects-nothing
#   subject: repository
#   severity: warning
#   help: Make spec.selector and the labels of the Pod template one and the same.
service_selects_nothing contains hit if {
	some entry in cluster.of_type("/Service")
	selector := entry.object.spec.selector
	count(selector) > 0
	not entry.object.spec.type == "ExternalName"
	cluster.in_place[entry.place]
	not entry.place in cluster.operated
	count(cluster.with_labels(entry.place, selector)) == 0
	hit := cluster.hit(entry, "/spec/selector", sprintf(
		"expected Pods with %s in namespace %q, saw none",
		[spoken_labels(selector), entry.place[1]],
	))
}

spoken_labels(labels) := concat(", ", sort([sprintf("%s=%v", [key, value]) | some key, value in labels]))

# METADATA
# title: Service to a port that no Pod has
# description: |
#   The Service sends to a port by name, and no container of the Pods that it selects has a port of that name: there are
#   never endpoints for it. Ports by number need no declaration and are left alone.
# scope: document
# custom:
#   rule: service-port-unknown
#   subject: repository
#   severity: error
#   help: Correct targetPort, or name the container's port.
service_port_unknown contains hit if {
	some entry in cluster.of_type("/Service")
	not entry.place in cluster.operated
	chosen := cluster.with_labels(entry.place, object.get(entry.object, ["spec", "selector"], {}))
	count(chosen) > 0
	some i, port in entry.object.spec.ports
	is_string(port.targetPort)
	not regex.match(`^[0-9]+$`, port.targetPort)
	having := {name |
		some n in chosen
		some container in cluster.pod_containers(cluster.pods[n])
		some open in container.spec.ports
		name := open.name
	}
	not port.targetPort in having
	hit := cluster.hit(entry, sprintf("/spec/ports/%d/targetPort", [i]), sprintf(
		"expected a container port named %q in the Pods it selects, saw %s",
		[port.targetPort, spoken(having)],
	))
}

# Who sends to a Service of its own namespace or another: {entry, name, place, port, pointer}; port null for any.
sent := array.concat(from_ingresses, from_routes)

from_ingresses := [sending |
	some entry in cluster.of_type("networking.k8s.io/Ingress")
	some found in array.concat(default_backend(entry.object), rule_backends(entry.object))
	sending := {
		"entry": entry,
		"place": entry.place,
		"name": found.service.name,
		"port": object.get(found.service, "port", {}),
		"pointer": found.pointer,
	}
]

default_backend(manifest) := [{
	"service": manifest.spec.defaultBackend.service,
	"pointer": "/spec/defaultBackend",
} |
	manifest.spec.defaultBackend.service
]

rule_backends(manifest) := [{"service": path.backend.service, "pointer": sprintf("/spec/rules/%d/http/paths/%d", [i, j])} |
	some i, rule in manifest.spec.rules
	some j, path in rule.http.paths
]

from_routes := [sending |
	some type in ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"]
	some entry in cluster.of_type(sprintf("gateway.networking.k8s.io/%s", [type]))
	some i, rule in entry.object.spec.rules
	some j, backend in rule.backendRefs
	object.get(backend, "kind", "Service") == "Service"
	object.get(backend, "group", "") == ""
	sending := {
		"entry": entry,
		"place": [entry.place[0], object.get(backend, "namespace", entry.place[1])],
		"name": backend.name,
		"port": {"number": number | number := backend.port},
		"pointer": sprintf("/spec/rules/%d/backendRefs/%d", [i, j]),
	}
]

# METADATA
# title: Way to a Service that is not there
# description: |
#   An Ingress or a route of the Gateway API sends to a Service that no Application renders in its cluster and namespace:
#   who comes that way gets an error. Namespaces in which an operator may make the Service are left alone.
# scope: document
# custom:
#   rule: ingress-service-missing
#   subject: repository
#   severity: warning
#   help: Correct the name of the Service, or add it.
ingress_service_missing contains hit if {
	some sending in sent
	sending.place in cluster.settled
	not cluster.exists("/Service", sending.place, sending.name)
	hit := cluster.hit(sending.entry, sending.pointer, sprintf(
		"expected Service %q in namespace %q, saw none",
		[sending.name, sending.place[1]],
	))
}

# METADATA
# title: Way to a port that its Service does not have
# description: |
#   An Ingress or a route of the Gateway API sends to a Service that is rendered without that port: who comes that way
#   gets an error. For an ExternalName a number needs no declaration.
# scope: document
# custom:
#   rule: ingress-port-unknown
#   subject: repository
#   severity: error
#   help: Name a port of the Service, by its port (not its targetPort) or its name.
ingress_port_unknown contains hit if {
	some sending in sent
	found := cluster.named("/Service", sending.place, sending.name)
	count(found) > 0
	some field, said in sending.port
	having := {value |
		some service in found
		some port in service.object.spec.ports
		value := port[{"number": "port", "name": "name"}[field]]
	}
	not said in having
	not undeclared(field, found)
	hit := cluster.hit(sending.entry, sending.pointer, sprintf(
		"expected port %v in %s, saw %s",
		[said, cluster.title(found[0]), spoken({sprintf("%v", [value]) | some value in having})],
	))
}

# There is no Service to be asked for a port, only a name: ingress-nginx takes any number (controller.go:
# externalNamePorts).
undeclared("number", services) if {
	some service in services
	service.object.spec.type == "ExternalName"
}

# METADATA
# title: NetworkPolicy that selects nothing
# description: |
#   No workload of the NetworkPolicy's cluster and namespace has the labels that it selects: what it should protect is
#   open. Namespaces in which no workload is rendered, or an operator may make the Pods, are left alone.
# scope: document
# custom:
#   rule: network-policy-selects-nothing
#   subject: repository
#   severity: warning
#   help: Make spec.podSelector and the labels of the Pod template one and the same.
network_policy_selects_nothing contains hit if {
	some entry in cluster.of_type("networking.k8s.io/NetworkPolicy")
	selector := entry.object.spec.podSelector
	count(selector) > 0
	cluster.in_place[entry.place]
	not entry.place in cluster.operated
	count(cluster.selected(entry.place, selector)) == 0
	hit := cluster.hit(entry, "/spec/podSelector", sprintf(
		"expected Pods with %s in namespace %q, saw none",
		[spoken_selector(selector), entry.place[1]],
	))
}

spoken_selector(selector) := spoken_labels(selector.matchLabels) if count(selector.matchLabels) > 0

spoken_selector(selector) := "the labels of its matchExpressions" if {
	count(object.get(selector, "matchLabels", {})) == 0
}
