"""What a pull request changes, adds and removes where it is: Applications for `upgrade`, at base and at head."""

from __future__ import annotations

from upgrade_support import (
    OPTIONS,
    application,
    claim,
    config_map,
    definition,
    deployment,
    hook,
    namespace,
    stateful_set,
)

USUAL = "{automated: {prune: true, selfHeal: true}, syncOptions: [CreateNamespace=true]}"
MANUAL = f"{{syncOptions: {OPTIONS}}}"
ONCE = f"{{automated: {{}}, syncOptions: {OPTIONS}}}"
"""Automated, and what goes later does not come back by itself."""

QUOTA = """\
apiVersion: v1
kind: ResourceQuota
metadata: {name: no-jobs}
spec: {hard: {count/jobs.batch: "0"}}
"""
"""What a hook of the first sync comes before, and one of a later sync after."""

HASHED = "configMapGenerator: [{{name: settings, literals: [colour={colour}]}}]\n"

BASE = {
    # changed, and something removed
    "apps/plain.yaml": application("plain", sync=USUAL),
    "plain/settings.yaml": config_map("settings", "green"),
    "plain/old.yaml": config_map("old", "green"),
    "plain/claim.yaml": claim("data", "1Gi"),
    # Argo CD does not look again at what it says that it is made of, for that is the same: it takes the render along
    "apps/apart.yaml": application("apart").replace(
        "{name: apart,", '{name: apart, annotations: {argocd.argoproj.io/manifest-generate-paths: "."},'
    ),
    "apart/settings.yaml": config_map("settings", "green"),
    # the same, but nobody may prune
    "apps/keeps.yaml": application("keeps"),
    "keeps/settings.yaml": config_map("settings", "green"),
    "keeps/old.yaml": config_map("old", "green", options="Prune=false"),
    "apps/manual.yaml": application("manual", sync=MANUAL),
    "manual/settings.yaml": config_map("settings", "green"),
    "manual/old.yaml": config_map("old", "green"),
    # the same, and the name comes from what is in it
    "apps/hashed.yaml": application("hashed", sync=ONCE),
    "hashed/kustomization.yaml": HASHED.format(colour="green"),
    # what somebody has to confirm, when it is pruned and when its Application is deleted
    "apps/asks.yaml": application("asks"),
    "asks/settings.yaml": config_map("settings", "green"),
    "asks/old.yaml": config_map("old", "green", options="Prune=confirm"),
    "apps/asks-at-its-end.yaml": application("asks-at-its-end", finalizer=True),
    "asks-at-its-end/settings.yaml": config_map("settings", "green", options="Delete=confirm"),
    # what Argo CD does not count as a difference, so nothing syncs, and it stays
    "apps/uncounted.yaml": application("uncounted"),
    "uncounted/settings.yaml": config_map("settings", "green"),
    "uncounted/old.yaml": config_map("old", "green").replace(
        "{name: old}", '{name: old, annotations: {argocd.argoproj.io/compare-options: "IgnoreExtraneous"}}'
    ),
    # broken before
    "apps/broken.yaml": application("broken"),
    "broken/settings.yaml": "apiVersion: example.com/v1\nkind: Nobody\nmetadata: {name: nobody}\n",
    # what cannot be changed
    "apps/selector.yaml": application("selector"),
    "selector/web.yaml": f"{config_map('settings', 'green')}---\n{deployment('web', 'web')}",
    "apps/templates.yaml": application("templates"),
    "templates/db.yaml": stateful_set("db", "1Gi"),
    "apps/shrunk.yaml": application("shrunk"),
    "shrunk/claim.yaml": claim("data", "2Gi"),
    "apps/replaced.yaml": application("replaced"),
    "replaced/claim.yaml": claim("data", "1Gi", options="Replace=true,Force=true"),
    # a StatefulSet that takes its claims along, and one that only comes to say so
    "apps/replaced-set.yaml": application("replaced-set"),
    "replaced-set/db.yaml": stateful_set("db", "1Gi", options="Replace=true,Force=true", claims="Delete"),
    "apps/owned-claims.yaml": application("owned-claims"),
    "owned-claims/db.yaml": stateful_set("db", "1Gi", claims="Retain"),
    "apps/hook.yaml": application("hook"),
    "hook/settings.yaml": config_map("settings", "green"),
    "hook/quota.yaml": QUOTA,
    "apps/hook-green.yaml": application("hook-green"),
    "hook-green/settings.yaml": config_map("settings", "green"),
    "hook-green/migrate.yaml": hook("1"),
    "apps/stored.yaml": application("stored"),
    "stored/crd.yaml": definition("lamps", "Lamp", ("v1", True)),
    # the way back
    "apps/one-way.yaml": application("one-way"),
    "one-way/crd.yaml": definition("doors", "Door", ("v1", True)),
    # removed
    "apps/leaves.yaml": application("leaves", finalizer=True),
    "leaves/settings.yaml": config_map("settings", "green"),
    "apps/orphans.yaml": application("orphans"),
    "orphans/settings.yaml": config_map("settings", "green"),
    "apps/held.yaml": application("held", finalizer=True),
    "held/settings.yaml": config_map("settings", "green").replace(
        "{name: settings}", "{name: settings, finalizers: [example.com/hold]}"
    ),
    # removed, and what it made has no finalizer
    "apps/careless.yaml": application("careless", finalizer=True).replace(
        "namespace: careless", "namespace: argocd"
    ),
    "careless/left-alone.yaml": application("left-alone"),
    "left-alone/settings.yaml": config_map("settings", "green"),
    # removed, with the namespace that another one lives in
    "apps/landlord.yaml": application("landlord", finalizer=True),
    "landlord/namespace.yaml": namespace("lodger"),
    "apps/lodger.yaml": application("lodger", sync=ONCE),
    "lodger/settings.yaml": config_map("settings", "green"),
    "apps/landlord-fair.yaml": application("landlord-fair", finalizer=True),
    "landlord-fair/namespace.yaml": namespace("lodger-stays", options="Delete=false"),
    "apps/lodger-stays.yaml": application("lodger-stays", sync=ONCE),
    "lodger-stays/settings.yaml": config_map("settings", "green"),
    # one that makes others
    "apps/parent.yaml": application("parent").replace("namespace: parent", "namespace: argocd"),
    "parent/child.yaml": application("child"),
    "parent/child-leaves.yaml": application("child-leaves", finalizer=True),
    "parent/child-orphans.yaml": application("child-orphans"),
    "child/settings.yaml": config_map("settings", "green"),
    "child-leaves/settings.yaml": config_map("settings", "green"),
    "child-orphans/settings.yaml": config_map("settings", "green"),
}

HEAD: dict[str, str | None] = {
    "plain/settings.yaml": config_map("settings", "red"),
    "plain/old.yaml": None,
    "keeps/settings.yaml": config_map("settings", "red"),
    "keeps/old.yaml": None,
    "manual/settings.yaml": config_map("settings", "red"),
    "manual/old.yaml": None,
    "hashed/kustomization.yaml": HASHED.format(colour="red"),
    "asks/settings.yaml": config_map("settings", "red"),
    "asks/old.yaml": None,
    "apps/asks-at-its-end.yaml": None,
    "asks-at-its-end/settings.yaml": None,
    "uncounted/old.yaml": None,
    "broken/settings.yaml": config_map("settings", "green"),
    "selector/web.yaml": f"{config_map('settings', 'green')}---\n{deployment('web', 'other')}",
    "templates/db.yaml": stateful_set("db", "2Gi"),
    "shrunk/claim.yaml": claim("data", "1Gi"),
    "replaced/claim.yaml": claim("data", "1Gi", mode="ReadOnlyMany", options="Replace=true,Force=true"),
    "replaced-set/db.yaml": stateful_set("db", "2Gi", options="Replace=true,Force=true", claims="Delete"),
    "owned-claims/db.yaml": stateful_set("db", "1Gi", claims="Delete"),
    "hook/migrate.yaml": hook("2"),
    "hook/settings.yaml": config_map("settings", "red"),
    "hook-green/migrate.yaml": hook("2"),
    "hook-green/settings.yaml": config_map("settings", "red"),
    "stored/crd.yaml": definition("lamps", "Lamp", ("v2", True)),
    "one-way/crd.yaml": definition("doors", "Door", ("v1", False), ("v2", True)),
    "apps/leaves.yaml": None,
    "leaves/settings.yaml": None,
    "apps/orphans.yaml": None,
    "orphans/settings.yaml": None,
    "apps/held.yaml": None,
    "held/settings.yaml": None,
    "apps/careless.yaml": None,
    "careless/left-alone.yaml": None,
    "left-alone/settings.yaml": None,
    "apps/landlord.yaml": None,
    "landlord/namespace.yaml": None,
    "lodger/settings.yaml": config_map("settings", "red"),
    "apps/landlord-fair.yaml": None,
    "landlord-fair/namespace.yaml": None,
    "lodger-stays/settings.yaml": config_map("settings", "red"),
    "apps/added.yaml": application("added"),
    "added/settings.yaml": config_map("settings", "green"),
    "parent/child.yaml": application("child", path="child-next"),
    "child/settings.yaml": None,
    "child-next/settings.yaml": config_map("settings", "red"),
    "parent/child-leaves.yaml": None,
    "parent/child-orphans.yaml": None,
}
