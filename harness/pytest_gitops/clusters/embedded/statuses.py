"""What controllers that do not run on the embedded cluster would write into the status of their custom resources.

The kinds are those that Argo CD waits for: its health checks (resource_customizations, v3.6) call them Progressing
until their controller has said something. What is said here is what each check wants to see, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from pytest_gitops.shapes import mapping

REASON = "Pretended"
MESSAGE = "no controller of this kind runs on the embedded cluster"
CONTROLLER = "pytest-gitops.invalid/pretended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A status: `conditions` that are True, for which `reason` stands; for each parent, where it is a route's; and
    fields beside them."""

    conditions: Sequence[str] = ("Ready",)
    reason: str = REASON
    message: str = MESSAGE
    of_parents: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def of(self, manifest: Mapping[str, Any], *, at: str) -> dict[str, Any]:
        """The status of one object; `at` is the time, as Kubernetes writes it."""
        generation = mapping(manifest, "metadata").get("generation")
        conditions = [
            {
                "type": each, "status": "True", "reason": self.reason, "message": self.message,
                "lastTransitionTime": at, "observedGeneration": generation,
            }
            for each in self.conditions
        ]  # fmt: skip
        if self.of_parents:
            references = mapping(manifest, "spec").get("parentRefs")
            return {
                "parents": [
                    {"parentRef": each, "controllerName": CONTROLLER, "conditions": conditions}
                    for each in (references if isinstance(references, list) else ())
                ]
            }
        return {
            "observedGeneration": generation,
            **({"conditions": conditions} if conditions else {}),
            **self.more,
        }


READY = (
    "addons.projectcapsule.dev/*", "camel.apache.org/Integration", "capsule.clastix.io/*",
    "cert-manager.io/Certificate", "cert-manager.io/CertificateRequest", "cert-manager.io/ClusterIssuer",
    "cert-manager.io/Issuer", "db.atlasgo.io/*", "external-secrets.io/*", "gateway.networking.k8s.io/Gateway",
    "k8s.keycloak.org/Keycloak", "k8s.mariadb.com/*", "kafka.strimzi.io/*", "karpenter.k8s.aws/EC2NodeClass",
    "karpenter.sh/NodePool", "keda.sh/ScaledJob", "keda.sh/ScaledObject", "kro.run/*", "kubevirt.io/VirtualMachine",
    "kubevirt.io/VirtualMachineInstance", "mariadb.mmontes.io/MariaDB", "onepassword.com/OnePasswordItem",
    "pulumi.com/Stack", "services.cloud.sap.com/*", "serving.kserve.io/*",
)  # fmt: skip
"""Kinds, as "group/Kind", that say Ready."""

SYNCED = Said(conditions=("Synced", "Ready"))
AVAILABLE = Said(conditions=("Available", "Reconciled"))
ACCEPTED = Said(conditions=("Accepted",))
ROUTE = Said(conditions=("Accepted", "ResolvedRefs"), of_parents=True)
RABBIT = Said(reason="SuccessfulCreateOrUpdate")
POLICY = Said(reason="Succeeded", message="Ready", more={"ready": True})

OTHERS: Mapping[str, Said] = MappingProxyType(
    {
        "pkg.crossplane.io/*": Said(conditions=("Installed", "Healthy")),
        "*.crossplane.io/*": SYNCED,
        "*.upbound.io/*": SYNCED,
        "*.services.k8s.aws/*": Said(conditions=("ACK.ResourceSynced", "Ready")),
        "*.cnrm.cloud.google.com/*": Said(reason="UpToDate"),
        "acid.zalan.do/postgresql": Said(conditions=(), more={"PostgresClusterStatus": "Running"}),
        "bitnami.com/SealedSecret": Said(conditions=("Synced",)),
        "argoproj.io/EventBus": Said(conditions=("Deployed", "Configured")),
        "flagger.app/Canary": Said(
            conditions=("Promoted",), more={"phase": "Initialized", "canaryWeight": 0}
        ),
        "gateway.networking.k8s.io/GatewayClass": ACCEPTED,
        "gateway.networking.k8s.io/GRPCRoute": ROUTE,
        "gateway.networking.k8s.io/HTTPRoute": ROUTE,
        "gateway.networking.k8s.io/TLSRoute": ROUTE,
        "grafana.integreatly.org/Grafana": Said(
            conditions=(), more={"stage": "complete", "stageStatus": "success"}
        ),
        "grafana.integreatly.org/*": Said(
            conditions=("Ready", "DashboardSynchronized", "DatasourceSynchronized", "FolderSynchronized")
        ),
        "jaegertracing.io/Jaeger": Said(conditions=(), more={"phase": "Running"}),
        "k8s.mariadb.com/SqlJob": Said(conditions=("Complete",), reason="JobComplete"),
        "kiali.io/Kiali": Said(conditions=("Successful",)),
        "kyverno.io/ClusterPolicy": POLICY,
        "kyverno.io/Policy": POLICY,
        "minio.min.io/Tenant": Said(conditions=(), more={"currentState": "Initialized"}),
        "monitoring.coreos.com/Alertmanager": AVAILABLE,
        "monitoring.coreos.com/Prometheus": AVAILABLE,
        "monitoring.coreos.com/ThanosRuler": AVAILABLE,
        "networking.gke.io/ManagedCertificate": Said(conditions=(), more={"certificateStatus": "Active"}),
        "postgresql.cnpg.io/Cluster": Said(more={"phase": "Cluster in healthy state"}),
        "projectcontour.io/HTTPProxy": Said(conditions=("Valid",)),
        "psmdb.percona.com/PerconaServerMongoDB": Said(
            conditions=(), more={"state": "ready", "ready": 1, "size": 1}
        ),
        "pxc.percona.com/PerconaXtraDBCluster": Said(
            conditions=(), more={"state": "ready", "ready": 1, "size": 1}
        ),
        "rabbitmq.com/RabbitmqCluster": Said(conditions=("ClusterAvailable", "AllReplicasReady")),
        "rabbitmq.com/*": RABBIT,
        "serving.knative.dev/Service": Said(conditions=("ConfigurationsReady", "RoutesReady", "Ready")),
        "snapshot.storage.k8s.io/VolumeSnapshot": Said(conditions=(), more={"readyToUse": True}),
        "velero.io/Schedule": Said(conditions=(), more={"phase": "Enabled"}),
    }
)
"""Kinds that say something else, the first pattern that fits."""

KNOWN: Mapping[str, Said] = MappingProxyType({**OTHERS, **dict.fromkeys(READY, Said())})


class Statuses:
    """What is said for which kind: `own` are those of the configuration by pattern, None for nothing to be said; they
    go before what is known."""

    def __init__(self, own: Mapping[str, Mapping[str, Any] | None] | None = None) -> None:
        self._own = own or {}

    def may_concern(self, plural: str, group: str) -> bool:
        """Whether the kind that a definition calls by this plural may be among them; `of` says so of the kind itself,
        for which the API server has to be asked."""
        known = (p for p in KNOWN if _is_plural(plural, p.rpartition("/")[2]))
        return any(fnmatchcase(group, p.rpartition("/")[0]) for p in (*self._own, *known))

    def of(self, group: str, kind: str) -> Said | Mapping[str, Any] | None:
        """What is said for a kind, None for nothing; a mapping as the configuration has it."""
        name = f"{group}/{kind}"
        for pattern, own in self._own.items():
            if fnmatchcase(name, pattern):
                return own
        return next((said for pattern, said in KNOWN.items() if fnmatchcase(name, pattern)), None)


def _is_plural(plural: str, kind: str) -> bool:
    """Whether it begins as the plural of a kind does that is known: Policies, GatewayClasses, EventBus."""
    return kind == "*" or plural.startswith(kind.lower().rstrip("ys"))
