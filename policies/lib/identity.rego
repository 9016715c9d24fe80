# METADATA
# description: What makes two objects of two Applications one and the same object of a cluster.
package gitops.lib.identity

import data.gitops.lib.settings

cluster_kinds := {
	"APIService", "CSIDriver", "CSINode", "ClusterRole", "ClusterRoleBinding",
	"CustomResourceDefinition", "FlowSchema", "IngressClass", "MutatingWebhookConfiguration",
	"Namespace", "Node", "PersistentVolume", "PriorityClass", "PriorityLevelConfiguration",
	"RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
	"CertificateSigningRequest", "ClusterTrustBundle", "ComponentStatus", "DeviceClass", "DeviceTaintRule", "IPAddress",
	"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "ResourcePoolStatusRequest", "ResourceSlice", "ServiceCIDR",
	"StorageVersion", "StorageVersionMigration", "VolumeAttributesClass",
	"ValidatingWebhookConfiguration", "VolumeAttachment", "ClusterIssuer", "ClusterSecretStore",
	"ClusterExternalSecret", "GatewayClass",
} | {kind | some kind in settings.cluster_kinds}

# The namespace an object ends up in; empty for one that has none.
namespace(manifest, _) := "" if manifest.kind in cluster_kinds

namespace(manifest, application) := found if {
	not manifest.kind in cluster_kinds
	own := object.get(manifest, ["metadata", "namespace"], "")
	default_namespace := object.get(application, ["spec", "destination", "namespace"], "")
	found := [name | some name in [own, default_namespace, "default"]; name != ""][0]
}

# "Kind namespace/name", or "Kind name".
title(manifest, application) := sprintf("%s %s", [manifest.kind, manifest.metadata.name]) if {
	namespace(manifest, application) == ""
}

title(manifest, application) := sprintf("%s %s/%s", [manifest.kind, place, manifest.metadata.name]) if {
	place := namespace(manifest, application)
	place != ""
}

# The cluster of an Application; Argo CD's own has a name and a URL.
cluster(application) := found if {
	server := object.get(application, ["spec", "destination", "server"], "")
	name := object.get(application, ["spec", "destination", "name"], "")
	said := [text | some text in [server, name, "in-cluster"]; text != ""][0]
	found := object.get({"https://kubernetes.default.svc": "in-cluster"}, said, said)
}

group(manifest) := split(manifest.apiVersion, "/")[0] if contains(manifest.apiVersion, "/")

group(manifest) := "" if not contains(manifest.apiVersion, "/")
