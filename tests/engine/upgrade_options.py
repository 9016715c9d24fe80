"""What is synced in part or last, and what may be changed: Applications for `upgrade`, at base and at head."""

from __future__ import annotations

from upgrade_support import (
    application,
    claim,
    config_map,
    custom,
    definition,
    deployment,
    stateful_set,
)

PARTLY, LAST = (
    f"{{automated: {{prune: true}}, syncOptions: [CreateNamespace=true, Validate=false, {option}=true]}}"
    for option in ("ApplyOutOfSyncOnly", "PruneLast")
)
"""Without selfHeal, which names what it syncs whatever the options are."""

ONE_POD = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: one-pod}
spec: {hard: {pods: "1"}}
"""


def impatient(name: str) -> str:
    """A Deployment that is Degraded when it has not got on for some seconds."""
    return deployment(name, name).replace("  replicas: 1\n", "  replicas: 1\n  progressDeadlineSeconds: 20\n")


BASE = {
    # what may be changed, of the kinds that `selector`, `templates`, `shrunk` and `replaced` change otherwise
    "apps/allowed.yaml": application("allowed"),
    "allowed/web.yaml": deployment("web", "web"),
    "allowed/db.yaml": stateful_set("db", "1Gi"),
    "allowed/claim.yaml": claim("data", "1Gi"),
    # one of two
    "apps/partly.yaml": application("partly", sync=PARTLY),
    "partly/changes.yaml": config_map("changes", "green"),
    "partly/stays.yaml": config_map("stays", "green"),
    # what goes last, and what cannot come as long as that is there
    "apps/last.yaml": application("last", sync=LAST),
    "last/old.yaml": config_map("old", "green"),
    "apps/last-full.yaml": application("last-full", sync=LAST),
    "last-full/quota.yaml": ONE_POD,
    "last-full/old.yaml": impatient("old"),
    # objects of the definitions of `stored` and `one-way`, and one whose definition has both versions on both sides
    "stored/lamp.yaml": custom("Lamp", "v1"),
    "one-way/door.yaml": custom("Door", "v1"),
    "apps/served.yaml": application("served"),
    "served/crd.yaml": definition("bells", "Bell", ("v1", True), ("v2", False)),
    "served/bell.yaml": custom("Bell", "v1"),
}

HEAD: dict[str, str | None] = {
    "allowed/web.yaml": deployment("web", "web").replace("web:1", "web:2"),
    "allowed/db.yaml": stateful_set("db", "1Gi").replace("db:1", "db:2"),
    "allowed/claim.yaml": claim("data", "1Gi").replace("{name: data}", "{name: data, labels: {team: shop}}"),
    "partly/changes.yaml": config_map("changes", "red"),
    "last/old.yaml": None,
    "last/new.yaml": deployment("new", "new"),
    "last-full/old.yaml": None,
    "last-full/new.yaml": impatient("new"),
    "stored/lamp.yaml": custom("Lamp", "v2"),
    "one-way/door.yaml": custom("Door", "v2"),
    "served/crd.yaml": definition("bells", "Bell", ("v1", False), ("v2", True)),
    "served/bell.yaml": custom("Bell", "v2"),
}
