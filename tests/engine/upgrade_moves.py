"""What goes to another project, cluster, parent or name, or comes from a generator: Applications for `upgrade`, at base
and at head."""

from __future__ import annotations

from upgrade_support import FINALIZER, OPTIONS, URL, application, claim, config_map, deployment

ABROAD = "https://prod.example.internal:6443"

PROJECT = """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {{name: {name}, namespace: argocd}}
spec: {{sourceRepos: ["*"], destinations: [{{server: "*", namespace: "*"}}], clusterResourceWhitelist: [{{group: "*", kind: "*"}}]}}
"""

CITIES = f"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {{name: cities, namespace: argocd}}
spec:
  generators: [{{git: {{repoURL: "{URL}", revision: main, directories: [{{path: cities/*}}]}}}}]
  template:
    metadata: {{name: "city-{{{{path.basename}}}}", finalizers: [{FINALIZER}]}}
    spec:
      project: default
      source: {{repoURL: "{URL}", path: "{{{{path}}}}", targetRevision: main}}
      destination: {{server: https://kubernetes.default.svc, namespace: "city-{{{{path.basename}}}}"}}
      syncPolicy: {{automated: {{prune: true}}, syncOptions: {OPTIONS}}}
"""

# The objects of a town stay where it is let go, and the set says so.
TOWNS = (
    CITIES.replace("cities", "towns")
    .replace("city-", "town-")
    .replace(f", finalizers: [{FINALIZER}]", "")
    .replace("spec:\n  generators", "spec:\n  syncPolicy: {preserveResourcesOnDeletion: true}\n  generators")
)

# A village stays as it was made, whatever its set says of it later.
VILLAGES = (
    CITIES.replace("cities", "villages")
    .replace("city-", "village-")
    .replace("spec:\n  generators", "spec:\n  syncPolicy: {applicationsSync: create-only}\n  generators")
)
HAMLETS = VILLAGES.replace("villages", "hamlets").replace("village-", "hamlet-")

# The new parent's hook finds no node as long as Pods of the child run: so the old parent is first, and lets it go.
AFTER_THE_OLD_ONE = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: after-the-old-one
  annotations: {argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/hook-delete-policy: HookSucceeded}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "example.com/wait:1"}]
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/os
              namespaces: [handed-over]
              labelSelector: {matchLabels: {app: db}}
"""

BASE = {
    "projects.yaml": "---\n".join(PROJECT.format(name=n) for n in ("one", "two")),
    "apps/project.yaml": application("project", project="one"),
    "project/settings.yaml": config_map("settings", "green"),
    "apps/abroad.yaml": application("abroad"),
    "abroad/settings.yaml": config_map("settings", "green"),
    "apps/before.yaml": application("before", path="renamed").replace(
        "namespace: before", "namespace: renamed"
    ),
    "renamed/settings.yaml": config_map("settings", "green"),
    "apps/parent-one.yaml": application("parent-one").replace("namespace: parent-one", "namespace: argocd"),
    "apps/parent-two.yaml": application("parent-two").replace("namespace: parent-two", "namespace: argocd"),
    "parent-one/passed-on.yaml": application("passed-on"),
    "parent-one/settings.yaml": config_map("parent-one", "green"),
    "parent-two/settings.yaml": config_map("parent-two", "green"),
    "passed-on/settings.yaml": config_map("settings", "green"),
    "parent-one/handed-over.yaml": application("handed-over", finalizer=True),
    "handed-over/db.yaml": f"{claim('data', '1Gi')}---\n{deployment('db', 'db')}",
    "parent-one/handed-down.yaml": application("handed-down"),
    "handed-down/db.yaml": f"{claim('data', '1Gi')}---\n{deployment('db', 'db')}",
    "cities.yaml": CITIES,
    "cities/lisbon/settings.yaml": config_map("settings", "green"),
    "cities/porto/settings.yaml": config_map("settings", "green"),
    "towns.yaml": TOWNS,
    "towns/tavira/settings.yaml": config_map("settings", "green"),
    "towns/evora/settings.yaml": config_map("settings", "green"),
    "villages.yaml": VILLAGES,
    "villages/elvas/settings.yaml": config_map("settings", "green"),
    "hamlets.yaml": HAMLETS,
    "hamlets/sortelha/settings.yaml": config_map("settings", "green"),
}

HEAD: dict[str, str | None] = {
    "apps/project.yaml": application("project", project="two"),
    "project/settings.yaml": config_map("settings", "red"),
    "apps/abroad.yaml": application("abroad").replace("https://kubernetes.default.svc", ABROAD),
    "apps/before.yaml": None,
    "apps/after.yaml": application("after", path="renamed").replace("namespace: after", "namespace: renamed"),
    "parent-one/passed-on.yaml": None,
    "parent-two/passed-on.yaml": application("passed-on"),
    "passed-on/settings.yaml": config_map("settings", "red"),
    "parent-one/handed-over.yaml": None,
    "parent-two/handed-over.yaml": application("handed-over", finalizer=True),
    "parent-one/handed-down.yaml": None,
    "parent-two/handed-down.yaml": application("handed-down"),
    "parent-two/after-the-old-one.yaml": AFTER_THE_OLD_ONE,
    "cities/lisbon/settings.yaml": config_map("settings", "red"),
    "cities/porto/settings.yaml": None,
    "cities/evora/settings.yaml": config_map("settings", "green"),
    "towns/tavira/settings.yaml": None,
    "villages/elvas/settings.yaml": config_map("settings", "red"),
    "hamlets.yaml": HAMLETS.replace('path: "{{path}}"', 'path: "elsewhere/{{path.basename}}"'),
    "elsewhere/sortelha/settings.yaml": config_map("settings", "red"),
}
