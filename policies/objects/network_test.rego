package gitops.objects_test

import data.gitops.objects

served(spec) := {"object": {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}}

test_service_node_port_denies if {
	count(objects.service_node_port) == 1 with input as served({"type": "NodePort"})
}

test_service_node_port_allows if {
	every spec in [{}, {"type": "ClusterIP"}, {"type": "LoadBalancer"}] {
		count(objects.service_node_port) == 0 with input as served(spec)
	}
}

test_service_external_ips_denies if {
	hits := objects.service_external_ips with input as served({"externalIPs": ["192.0.2.1", "192.0.2.2"]})
	{hit.msg | some hit in hits} == {"expected no externalIPs, saw 192.0.2.1, 192.0.2.2"}
}

test_service_external_ips_allows if {
	every spec in [{}, {"externalIPs": []}] {
		count(objects.service_external_ips) == 0 with input as served(spec)
	}
}

entrance(api_version, spec) := {"object": {"apiVersion": api_version, "kind": "Ingress", "spec": spec}}

test_ingress_without_tls_denies if {
	every spec in [{}, {"tls": []}] {
		count(objects.ingress_without_tls) == 1 with input as entrance("networking.k8s.io/v1", spec)
	}
}

test_ingress_without_tls_allows if {
	count(objects.ingress_without_tls) == 0 with input as entrance("networking.k8s.io/v1", {"tls": [{"hosts": ["a"]}]})
	count(objects.ingress_without_tls) == 0 with input as entrance("config.example.com/v1", {})
}

namespaced(metadata) := {"object": {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}}

test_pod_security_unset_denies if {
	every metadata in [{"name": "n"}, {"name": "n", "labels": {"pod-security.kubernetes.io/warn": "baseline"}}] {
		count(objects.pod_security_unset) == 1 with input as namespaced(metadata)
	}
}

test_pod_security_unset_allows if {
	labels := {"pod-security.kubernetes.io/enforce": "privileged"}
	count(objects.pod_security_unset) == 0 with input as namespaced({"name": "n", "labels": labels})
}
