package gitops.objects

service if {
	input.object.kind == "Service"
	input.object.apiVersion == "v1"
}

# METADATA
# title: Service on every node
# description: |
#   A Service of type NodePort opens a port on every node of the cluster, past Ingress, its TLS and its rules.
# scope: document
# custom:
#   rule: service-node-port
#   subject: object
#   severity: info
#   help: Use ClusterIP behind an Ingress or a Gateway, unless a load balancer of your own needs the port.
service_node_port contains hit if {
	service
	input.object.spec.type == "NodePort"
	hit := {"msg": "expected type ClusterIP or LoadBalancer, saw NodePort", "pointer": "/spec/type"}
}

# METADATA
# title: Service with an address of others
# description: |
#   A Service with externalIPs takes the traffic of its cluster to those addresses, whoever they belong to
#   (CVE-2020-8554).
# scope: document
# custom:
#   rule: service-external-ips
#   subject: object
#   severity: warning
#   help: Use type LoadBalancer, or let the addresses be assigned by the network's own controller.
service_external_ips contains hit if {
	service
	count(input.object.spec.externalIPs) > 0
	hit := {
		"msg": sprintf("expected no externalIPs, saw %s", [concat(", ", input.object.spec.externalIPs)]),
		"pointer": "/spec/externalIPs",
	}
}

# METADATA
# title: Ingress without TLS
# description: |
#   An Ingress without spec.tls answers in plain text, unless something in front of it or a certificate of its controller
#   does otherwise.
# scope: document
# custom:
#   rule: ingress-without-tls
#   subject: object
#   severity: info
#   help: Add spec.tls with the hosts and the Secret of the certificate.
ingress_without_tls contains hit if {
	input.object.kind == "Ingress"
	startswith(input.object.apiVersion, "networking.k8s.io/")
	count(object.get(input.object, ["spec", "tls"], [])) == 0
	hit := {"msg": "expected spec.tls, saw none", "pointer": "/spec/tls"}
}

# METADATA
# title: Namespace without a Pod Security level
# description: |
#   A Namespace without pod-security.kubernetes.io/enforce takes Pods that share the node's network and processes, mount
#   its files and run privileged. Pod Security admission decides all that better than a rule about manifests; it only has
#   to be told which level.
# scope: document
# custom:
#   rule: pod-security-unset
#   subject: object
#   severity: info
#   help: Label the Namespace pod-security.kubernetes.io/enforce with restricted, baseline or privileged.
pod_security_unset contains hit if {
	input.object.kind == "Namespace"
	input.object.apiVersion == "v1"
	not input.object.metadata.labels["pod-security.kubernetes.io/enforce"]
	hit := {
		"msg": "expected the label pod-security.kubernetes.io/enforce, saw none",
		"pointer": "/metadata/labels",
	}
}
