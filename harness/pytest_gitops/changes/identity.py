"""Which object is which: API group, kind, namespace and name, as Argo CD sees them, and what kind of hook it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pytest_gitops.model import IN_CLUSTER, Destination, Resource
from pytest_gitops.shapes import mapping

TRACKING = "argocd.argoproj.io/tracking-id"
SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
HOOK = "argocd.argoproj.io/hook"
HELM_HOOK = "helm.sh/hook"
SYNC_WAVE = "argocd.argoproj.io/sync-wave"

# (gitops-engine/pkg/sync/common/types.go: NewHookType; controller/hook.go: PreDelete, PostDelete)
ARGO_HOOKS = ("PreSync", "Sync", "PostSync", "SyncFail", "Skip", "PreDelete", "PostDelete")
HELM_HOOKS = {
    "pre-install": "PreSync",
    "pre-upgrade": "PreSync",
    "post-install": "PostSync",
    "post-upgrade": "PostSync",
    "pre-delete": "PreDelete",
    "post-delete": "PostDelete",
}

# Kinds that moved from one API group to another and are the same objects in both (kubernetes.io, deprecation guide).
MOVED_KINDS = {
    ("extensions", "Deployment"): "apps",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("extensions", "PodSecurityPolicy"): "policy",
    ("events.k8s.io", "Event"): "",
}

BUILTIN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
    }
)
"""API groups of Kubernetes' own kinds: what the API says of lists and empty fields is known of these only."""

# (k8s.io/api v0.37: `+genclient:nonNamespaced`; Argo CD and aggregated APIs beside)
CLUSTER_SCOPED = frozenset(
    {
        ("", "ComponentStatus"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "DeviceTaintRule"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
        # widespread custom resources whose definitions are mostly installed elsewhere
        ("argoproj.io", "ClusterAnalysisTemplate"),
        ("argoproj.io", "ClusterWorkflowTemplate"),
        ("cert-manager.io", "ClusterIssuer"),
        ("cilium.io", "CiliumClusterwideNetworkPolicy"),
        ("external-secrets.io", "ClusterExternalSecret"),
        ("external-secrets.io", "ClusterSecretStore"),
        ("gateway.networking.k8s.io", "GatewayClass"),
        ("karpenter.sh", "NodePool"),
        ("kyverno.io", "ClusterPolicy"),
        ("security.openshift.io", "SecurityContextConstraints"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
        ("templates.gatekeeper.sh", "ConstraintTemplate"),
    }
)


OWN_CLUSTER = {"", IN_CLUSTER, f"{IN_CLUSTER}:443", "in-cluster"}
"""What names the cluster that Argo CD runs in (util/db/cluster.go: localCluster)."""


class Identity(NamedTuple):
    """What an object is known by in a cluster; the version of its API is no part of it."""

    group: str
    kind: str
    namespace: str
    name: str


def text(value: Any) -> str:
    return "" if value is None else str(value)


def metadata(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(manifest.get("metadata"))


def notes_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations."""
    return mapping(metadata(manifest).get("annotations"))


def group_kind(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """API group and kind as written."""
    return text(manifest.get("apiVersion")).rpartition("/")[0], text(manifest.get("kind"))


def name_of(manifest: Mapping[str, Any]) -> str:
    """The name; of an object with `generateName`, that and a star."""
    own = metadata(manifest)
    return text(own.get("name")) or (f"{text(own.get('generateName'))}*" if own.get("generateName") else "")


def csv(value: Any) -> list[str]:
    """The items of a comma-separated annotation."""
    return [item.strip() for item in text(value).split(",") if item.strip()]


class Scopes:
    """Knows which kinds live in no namespace: Kubernetes' own, those of `extra`, and what CustomResourceDefinitions
    among `objects` say."""

    def __init__(
        self, objects: Iterable[Mapping[str, Any]] = (), extra: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._cluster = {*CLUSTER_SCOPED, *extra}
        for manifest in objects:
            if manifest.get("kind") == "CustomResourceDefinition":
                spec = mapping(manifest.get("spec"))
                kind = (text(spec.get("group")), text(mapping(spec.get("names")).get("kind")))
                if spec.get("scope") == "Cluster":
                    self._cluster.add(kind)
                else:
                    self._cluster.discard(kind)

    def namespaced(self, group: str, kind: str) -> bool:
        return (group, kind) not in self._cluster

    def namespace(self, manifest: Mapping[str, Any], default: str) -> str:
        """The namespace that an object goes to when its Application's destination is `default`."""
        if not self.namespaced(*group_kind(manifest)):
            return ""
        return text(metadata(manifest).get("namespace")) or default

    def identity(self, manifest: Mapping[str, Any], default: str) -> Identity:
        group, kind = group_kind(manifest)
        return Identity(
            MOVED_KINDS.get((group, kind), group), kind, self.namespace(manifest, default), name_of(manifest)
        )

    def resource(self, manifest: Mapping[str, Any], default: str) -> Resource:
        """The object as reports name it."""
        wave = text(notes_of(manifest).get(SYNC_WAVE))
        return Resource(
            api_version=text(manifest.get("apiVersion")),
            kind=text(manifest.get("kind")),
            namespace=self.namespace(manifest, default),
            name=name_of(manifest),
            wave=int(wave) if wave.lstrip("-").isdecimal() and len(wave) < 10 else 0,
            hook=hook_of(manifest),
        )


def cluster(destination: Destination, servers: Mapping[str, str]) -> str:
    """The cluster of a destination in one spelling: its server, or a name that `servers` (by name) does not know."""
    server = destination.server.rstrip("/") or servers.get(destination.name, "").rstrip("/")
    name = server or destination.name
    return IN_CLUSTER if name in OWN_CLUSTER else name


def hook_of(manifest: Mapping[str, Any]) -> str:
    """When Argo CD runs this object as a hook ("PreSync", "PreSync,PostSync"); empty if it is none.

    "ignored" is an object whose hook annotation names nothing that Argo CD knows: it is never applied
    (gitops-engine/pkg/sync/hook, pkg/sync/ignore).
    """
    notes = notes_of(manifest)
    argo, helm = HOOK in notes, HELM_HOOK in notes
    if not argo and (not helm or notes[HELM_HOOK] == "crd-install"):
        return ""
    types = [t for t in csv(notes.get(HOOK)) if t in ARGO_HOOKS]
    if not types:
        types = [HELM_HOOKS[t] for t in csv(notes.get(HELM_HOOK)) if t in HELM_HOOKS]
    return ",".join(dict.fromkeys(types)) or "ignored"
