"""What a real kube-apiserver says of objects: every class of finding, and a twin of each that is left alone.

One judgement serves all tests that want nothing else of the planes: what each asks about is an Application of its own, in a
namespace of its own.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from runs import ROOT, tools

from pytest_gitops.admission.admission import Admission
from pytest_gitops.admission.values import Hit, Judgement, Request
from pytest_gitops.errors import ConfigError
from pytest_gitops.model import Severity
from pytest_gitops.processes.process import Supervisor
from pytest_gitops.repository.manifest import parse
from pytest_gitops.tools import API_SERVERS

pytestmark = [pytest.mark.builds, pytest.mark.engine]

Judge = Callable[..., dict[str, Judgement]]

ENFORCE = "pod-security.kubernetes.io/enforce"
WARN = "pod-security.kubernetes.io/warn"

RESTRICTED = (
    "securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, "
    "capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}"
)


def workload(
    container: str = "", *, spec: str = "", pod: str = "", kind: str = "Deployment", name: str = "web"
) -> str:
    return f"""
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
  {spec}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      {pod}
      containers: [{{name: main, image: registry.example.com/web:1, {container}}}]
"""


def namespace(name: str, **labels: str) -> str:
    written = ", ".join(f"{k.replace('__', '/')}: {v}" for k, v in labels.items())
    return f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{written}}}}}\n"


def quota(**hard: str) -> str:
    written = ", ".join(f"{k.replace('__', '.')}: '{v}'" for k, v in hard.items())
    return f"apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: few}}\nspec: {{hard: {{{written}}}}}\n"


def rollout(container: str = "", *, spec: str = "", pod: str = "") -> str:
    return workload(container, spec=spec, pod=pod, kind="Rollout").replace("apps/v1", "argoproj.io/v1alpha1")


def definition(
    plural: str, kind: str, *, rule: str = "self.size < 5", scope: str = "Namespaced", versions: str = "v1"
) -> str:
    listed = "".join(
        f"""
  - name: {version}
    served: true
    storage: {str(not number).lower()}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties: {{size: {{type: integer}}, mode: {{type: string}}}}
            x-kubernetes-validations: [{{rule: "{rule}", message: "the size is too large"}}]
"""
        for number, version in enumerate(versions.split())
    )
    return f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.example.com}}
spec:
  group: example.com
  scope: {scope}
  names: {{kind: {kind}, plural: {plural}}}
  versions:{listed}
"""


def custom(kind: str, spec: str = "{size: 1}", *, version: str = "v1", name: str = "mine") -> str:
    return f"apiVersion: example.com/{version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def policy(name: str, space: str, action: str) -> str:
    return f"""
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}}]
  matchConditions: [{{name: here, expression: "object.metadata.?namespace.orValue('') == '{space}'"}}]
  validations: [{{expression: "object.metadata.name.startsWith('team-')", message: "names begin with team-"}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}, validationActions: [{action}]}}
"""


def config_map(name: str, data: str = "{}") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n"


def with_policy(name: str, space: str, action: str, named: str) -> str:
    return f"{policy(name, space, action)}---\n{config_map(named)}"


LIMITED = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: small}\nspec: {limits: [{type: Container, max: {cpu: 500m}}]}\n"
CPU = "resources: {{requests: {{cpu: {0}}}, limits: {{cpu: {0}}}}}".format
CLAIMED = "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]"

# rule → (what it finds, the resource that is named, words of the message, the twin)
PAIRS: dict[str, tuple[str, str, str, str]] = {
    "unknown-field": (
        workload("imag: x"),
        "Deployment {0}/web",
        'strict decoding error: unknown field "spec.template.spec.containers[0].imag"',
        workload(),
    ),
    "invalid-object": (
        workload(spec="replicas: -1"),
        "Deployment {0}/web",
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        workload(spec="replicas: 0"),
    ),
    "invalid-object-name": (
        config_map("Not_A_Name"),
        "ConfigMap {0}/Not_A_Name",
        'metadata.name: Invalid value: "Not_A_Name"',
        config_map("a-name"),
    ),
    "cel-rule": (
        definition("boxes", "Box") + "---" + "\n" + custom("Box", "{size: 7}"),
        "Box {0}/mine",
        "the size is too large",
        definition("crates", "Crate") + "---" + "\n" + custom("Crate", "{size: 3}"),
    ),
    "invalid-crd": (
        definition("jars", "Jar", rule="self.size <<< 5"),
        "CustomResourceDefinition jars.example.com",
        "compilation failed",
        definition("cups", "Cup"),
    ),
    "pod-security": (
        namespace("{0}", **{ENFORCE.replace("/", "__"): "restricted"}) + "---" + workload(),
        "Deployment {0}/web",
        'violates PodSecurity "restricted:latest"',
        namespace("{0}", **{ENFORCE.replace("/", "__"): "restricted"}) + "---" + workload(RESTRICTED),
    ),
    "pod-security-warned": (
        namespace("{0}", **{WARN.replace("/", "__"): "restricted"}) + "---" + workload(),
        "Deployment {0}/web",
        'would violate PodSecurity "restricted:latest"',
        namespace("{0}", **{WARN.replace("/", "__"): "restricted"}) + "---" + workload(RESTRICTED),
    ),
    "admission-policy": (
        with_policy("denies", "admission-policy-bad", "Deny", "other"),
        "ConfigMap {0}/other",
        "ValidatingAdmissionPolicy 'denies' with binding 'denies' denied request: names begin with team-",
        with_policy("lets-pass", "admission-policy-good", "Deny", "team-a"),
    ),
    "admission-policy-warned": (
        with_policy("warns", "admission-policy-warned-bad", "Warn", "other"),
        "ConfigMap {0}/other",
        "Validation failed for ValidatingAdmissionPolicy 'warns'",
        with_policy("stays-quiet", "admission-policy-warned-good", "Warn", "team-a"),
    ),
    "quota-exceeded": (
        quota(pods="2") + "---" + workload(spec="replicas: 3"),
        "Deployment {0}/web",
        '3 of 3 replicas: pods "web-2" is forbidden: exceeded quota: few',
        quota(pods="2") + "---" + workload(spec="replicas: 2"),
    ),
    "limit-range": (
        LIMITED + "---" + workload(CPU("1")),
        "Deployment {0}/web",
        "maximum cpu usage per Container is 500m, but limit is 1",
        LIMITED + "---" + workload(CPU("100m")),
    ),
    "removed-api-version": (
        "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {maxUnavailable: 1}\n",
        "PodDisruptionBudget {0}/web",
        "PodDisruptionBudget is not served in policy/v1beta1; it is in policy/v1",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n"
        "spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}\n",
    ),
    "deprecated-api": (
        "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\n",
        "Endpoints {0}/web",
        "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web}\naddressType: IPv4\nendpoints: []\n",
    ),
    "api-warning": (
        workload("env: [{name: A, value: '1'}, {name: A, value: '2'}]"),
        "Deployment {0}/web",
        'hides previous definition of "A"',
        workload("env: [{name: A, value: '1'}, {name: B, value: '2'}]"),
    ),
    "unknown-kind": (
        custom("Spoon"),
        "Spoon {0}/mine",
        "it has no CustomResourceDefinition",
        definition("forks", "Fork") + "---" + "\n" + custom("Fork"),
    ),
    "object-too-large": (
        config_map("large", "{text: " + "x" * 1_100_000 + "}"),
        "ConfigMap {0}/large",
        "may not be more than 1048576 bytes",
        config_map("small", "{text: " + "x" * 1_000 + "}"),
    ),
    "priority-class-missing": (
        workload(pod="priorityClassName: urgent"),
        "Deployment {0}/web",
        "nothing brings PriorityClass urgent",
        workload(pod="priorityClassName: system-cluster-critical"),
    ),
    "runtime-class-missing": (
        workload(pod="runtimeClassName: sandboxed"),
        "Deployment {0}/web",
        "nothing brings RuntimeClass sandboxed",
        workload(pod="runtimeClassName: kept")
        + "---\napiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: kept}\nhandler: kept\n",
    ),
}  # fmt: skip

WARNINGS = {
    "pod-security-warned",
    "admission-policy-warned",
    "deprecated-api",
    "api-warning",
    "priority-class-missing",
    "runtime-class-missing",
}


def request(name: str, text: str, **more: Any) -> Request:
    """An Application `name` in a namespace of its own name, which Argo CD creates."""
    objects = [d.value for d in parse(text.replace("{0}", name).encode())]
    wanted: dict[str, Any] = {"id": name, "cluster": "main", "namespace": name, "creates": True, **more}
    return Request(objects=objects, **wanted)


def rules(judgement: Judgement) -> list[str]:
    return [hit.rule for hit in judgement.hits]


def only(judgement: Judgement) -> Hit:
    (hit,) = judgement.hits
    return hit


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    directory = tmp_path_factory.mktemp("admission") / "run"
    with Supervisor(directory, run_id=uuid.uuid4().hex) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def api_servers() -> dict[str, Path]:
    """The API server of each version that can be asked for."""
    found = tools(*API_SERVERS.values())
    return {version: found[name] for version, name in API_SERVERS.items()}


@pytest.fixture(scope="module")
def judge(supervisor: Supervisor, toolbox: dict[str, Path], api_servers: Mapping[str, Path]) -> Judge:
    """Judge requests on planes of their own."""

    def act(
        requests: Sequence[Request],
        base: Sequence[Request] = (),
        *,
        versions: Sequence[str] = ("1.37",),
        **more: Any,
    ) -> dict[str, Judgement]:
        admission = Admission(
            supervisor,
            supervisor.directory / uuid.uuid4().hex,
            etcd=toolbox["etcd"],
            servers={version: api_servers[version] for version in versions},
            **more,
        )
        try:
            return admission.judge(requests, base)
        finally:
            admission.close()

    return act


Asks = Callable[[], Sequence[Request]]

ASKED: list[Asks] = []
BASE: list[Asks] = []
"""What is asked about, and what base has of it, in the one judgement."""


def asked(what: Asks) -> Asks:
    ASKED.append(what)
    return what


def base(what: Asks) -> Asks:
    BASE.append(what)
    return what


@pytest.fixture(scope="module")
def said(judge: Judge) -> dict[str, Judgement]:
    """All that is asked, judged together."""
    requests = [r for what in ASKED for r in what()]
    assert len({r.id for r in requests}) == len(requests)
    return judge(requests, [r for what in BASE for r in what()])


def rules_of(said: Mapping[str, Judgement], asks: Asks) -> dict[str, list[str]]:
    return {r.id: rules(said[r.id]) for r in asks() if r.asked}


@asked
def bad_and_good() -> list[Request]:
    bad = [request(f"{rule}-bad", pair[0]) for rule, pair in PAIRS.items()]
    return [*bad, *(request(f"{rule}-good", pair[3]) for rule, pair in PAIRS.items())]


@pytest.mark.parametrize("rule", PAIRS)
def test_what_is_wrong_is_found_in_the_servers_own_words(said: dict[str, Judgement], rule: str) -> None:
    name, (_, resource, words, _) = f"{rule}-bad", PAIRS[rule]
    hit = only(said[name])
    assert (hit.rule, hit.resource) == (rule, resource.replace("{0}", name))
    assert words.replace("{0}", name) in hit.message
    assert hit.severity is (Severity.WARNING if rule in WARNINGS else Severity.ERROR)
    assert hit.help or rule == "api-warning"
    assert hit.manifest is not None


@pytest.mark.parametrize("rule", PAIRS)
def test_its_twin_is_left_alone(said: dict[str, Judgement], rule: str) -> None:
    judgement = said[f"{rule}-good"]
    assert judgement.hits == ()
    assert judgement.objects == len(request("", PAIRS[rule][3]).objects)


# ------------------------------------------------------------------ the Pods of a Rollout

ROLLOUTS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
REFERRED = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: by-reference}\n"
    "spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}}\n"
)

# name → (objects, the rules of what is said, how many Pods are asked about)
OF_ROLLOUTS: dict[str, tuple[str, list[str], int]] = {
    "rollout-strict": (
        namespace("{0}", **{ENFORCE.replace("/", "__"): "restricted"}) + "---" + rollout(),
        ["pod-security"],
        1,
    ),
    "rollout-warned": (
        namespace("{0}", **{WARN.replace("/", "__"): "restricted"}) + "---" + rollout(),
        ["pod-security-warned"],
        1,
    ),
    "rollout-meets": (
        namespace("{0}", **{ENFORCE.replace("/", "__"): "restricted"}) + "---" + rollout(RESTRICTED),
        [],
        1,
    ),
    "rollout-many": (quota(pods="2") + "---" + rollout(spec="replicas: 3"), ["quota-exceeded"], 3),
    "rollout-few": (quota(pods="2") + "---" + rollout(spec="replicas: 2"), [], 2),
    "rollout-large": (LIMITED + "---" + rollout(CPU("1")), ["limit-range"], 1),
    "rollout-urgent": (rollout(pod="priorityClassName: urgent"), ["priority-class-missing"], 1),
    "rollout-referring": (quota(pods="0") + "---\n" + REFERRED, [], 0),
}


@asked
def rollouts() -> list[Request]:
    return [
        request("rollouts", ROLLOUTS),
        *(request(name, text) for name, (text, _, _) in OF_ROLLOUTS.items()),
    ]


@pytest.mark.parametrize("name", OF_ROLLOUTS)
def test_a_rollouts_pods_are_asked_about_as_a_deployments(said: dict[str, Judgement], name: str) -> None:
    _, expected, pods = OF_ROLLOUTS[name]
    assert (rules(said[name]), said[name].pods) == (expected, pods)


# ------------------------------------------------------------------ from base to head

CLAIM = (
    "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n"
    "spec: {accessModes: [ReadWriteOnce], {1} resources: {requests: {storage: {0}}}}\n"
)
JOB = (
    "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {1}}\n"
    "spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: 'registry.example.com/job:{0}'}]}}}\n"
)
SELECTED = workload().replace("app: web", "app: {0}")
BOUND = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: {1}}\n"
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {0}}\n"
)
POD = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
    "spec: {containers: [{name: main, image: 'registry.example.com/web:1'}]}\n"
)
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\n"
STATEFUL = workload(spec=f"serviceName: web\n  {CLAIMED}", kind="StatefulSet")


def with_options(text: str, options: str) -> str:
    """Its first object with these sync options."""
    return text.replace(
        "{name: web", f"{{annotations: {{argocd.argoproj.io/sync-options: '{options}'}}, name: web", 1
    )


def filled(text: str, *words: str) -> str:
    for number, word in enumerate(words):
        text = text.replace("{" + str(number) + "}", word)
    return text


# name → (base, head, words of the message, empty where head is fine)
CHANGES: dict[str, tuple[str, str, str]] = {
    "selector": (filled(SELECTED, "old"), filled(SELECTED, "new"), "spec.selector: Invalid value"),
    "image": (workload(), workload().replace("web:1", "web:2"), ""),
    "claim-template": (STATEFUL, STATEFUL.replace("1Gi", "2Gi"), "spec.volumeClaimTemplates: Invalid value"),
    "claim-shrinks": (filled(CLAIM, "2Gi", ""), filled(CLAIM, "1Gi", ""), "can not be less than status.capacity"),
    "claim-grows": (filled(CLAIM, "1Gi", ""), filled(CLAIM, "2Gi", ""), ""),
    "claim-class": (
        filled(CLAIM, "1Gi", "storageClassName: slow,"),
        filled(CLAIM, "1Gi", "storageClassName: fast,"),
        "spec is immutable after creation",
    ),
    "job": (filled(JOB, "1", "{}"), filled(JOB, "2", "{}"), "spec.template: Invalid value: {…}: field is immutable"),
    "hook": (
        filled(JOB, "1", "{argocd.argoproj.io/hook: Sync}"),
        filled(JOB, "2", "{argocd.argoproj.io/hook: Sync}"),
        "",
    ),
    "forced": (
        filled(JOB, "1", "{}"),
        filled(JOB, "2", "{argocd.argoproj.io/sync-options: 'Replace=true,Force=true'}"),
        "",
    ),
    "job-scaled": (
        filled(JOB, "1", "{}"), filled(JOB, "1", "{}").replace("spec: {template", "spec: {parallelism: 2, template"), ""
    ),
    "job-replaced": (
        filled(JOB, "1", "{}"),
        filled(JOB, "1", "{argocd.argoproj.io/sync-options: Replace=true}"),
        "spec.selector: Required value",
    ),
    "role": (filled(BOUND, "old", "one"), filled(BOUND, "new", "one"), ""),
    "role-server-side": (
        filled(BOUND, "old", "web-three"),
        with_options(filled(BOUND, "new", "web-three"), "ServerSideApply=true"),
        "roleRef: Invalid value",
    ),
    "role-replaced": (
        filled(BOUND, "old", "web-four"),
        with_options(filled(BOUND, "new", "web-four"), "Replace=true"),
        "roleRef: Invalid value",
    ),
    # What base leaves to the server is owned by nobody: kubectl clears it of a Deployment's strategy, where Kubernetes'
    # schema says so (retainKeys), and nowhere else.
    "strategy": (workload(), workload(spec="strategy: {type: Recreate}"), ""),
    "strategy-server-side": (
        workload(),
        with_options(workload(spec="strategy: {type: Recreate}"), "ServerSideApply=true"),
        "spec.strategy.rollingUpdate: Forbidden",
    ),
    "strategy-server-side-nothing": (
        workload(),
        with_options(workload(spec="strategy: {type: Recreate, rollingUpdate: ~}"), "ServerSideApply=true"),
        "spec.strategy.rollingUpdate: Forbidden",
    ),
    "update-strategy-nothing": (
        workload(kind="StatefulSet"),
        workload(spec="updateStrategy: {type: OnDelete, rollingUpdate: ~}", kind="StatefulSet"),
        "",
    ),
    "strategy-replaced": (
        workload(),
        with_options(workload(spec="strategy: {type: Recreate}"), "Replace=true,ServerSideApply=true"),
        "",
    ),
    "update-strategy": (
        workload(kind="StatefulSet"),
        workload(spec="updateStrategy: {type: OnDelete}", kind="StatefulSet"),
        "spec.updateStrategy.rollingUpdate: Invalid value",
    ),
    "pod-image": (POD, POD.replace("web:1", "web:2"), ""),
    "pod-network": (POD, POD.replace("containers", "hostNetwork: true, containers"), "pod updates may not change fields"),
    "account": (ACCOUNT, ACCOUNT + "imagePullSecrets: [{name: a}]\n", ""),
    "less": (
        definition("mugs", "Mug") + "---\n" + custom("Mug", "{size: 1, mode: a}"),
        definition("mugs", "Mug") + "---\n" + custom("Mug"),
        "",
    ),
    "same-role": (filled(BOUND, "old", "two"), filled(BOUND, "old", "two") + "subjects: []\n", ""),
    "definition": (
        definition("plates", "Plate"),
        definition("plates", "Plate", scope="Cluster"),
        'spec.scope: Invalid value: "Cluster": field is immutable',
    ),
    "version-added": (
        definition("knives", "Knife") + "---\n" + custom("Knife"),
        definition("knives", "Knife", versions="v1 v2") + "---\n" + custom("Knife", "{size: 2}"),
        "",
    ),
    "transition": (
        definition("bowls", "Bowl", rule="self.size == oldSelf.size") + "---\n" + custom("Bowl"),
        definition("bowls", "Bowl", rule="self.size == oldSelf.size") + "---\n" + custom("Bowl", "{size: 2}"),
        "the size is too large",
    ),
    "node-port": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: NodePort, ports: [{port: 81, nodePort: 30080}]}\n",
        "",
    ),
}  # fmt: skip


@base
def before() -> list[Request]:
    return [request(name, old) for name, (old, _, _) in CHANGES.items()]


@asked
def after() -> list[Request]:
    return [request(name, new) for name, (_, new, _) in CHANGES.items()]


@pytest.mark.parametrize("name", [n for n, c in CHANGES.items() if c[2]])
def test_what_cannot_replace_the_bases_object_is_found(said: dict[str, Judgement], name: str) -> None:
    hit = only(said[name])
    assert (hit.rule, hit.severity) == ("immutable-field", Severity.ERROR)
    assert CHANGES[name][2] in hit.message
    assert len(hit.message) < 700


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("selector", "made anew with the sync options Replace=true,Force=true"),
        ("job", "made anew with the sync options Replace=true,Force=true"),
        ("strategy-server-side", "does not go with it: use the sync option Replace=true"),
        ("update-strategy", "does not go with it: write that as null, or use the sync option Replace=true"),
    ],
)
def test_nothing_is_to_be_made_anew_for_what_the_server_filled_in(
    said: dict[str, Judgement], name: str, words: str
) -> None:
    assert words in only(said[name]).help


@pytest.mark.parametrize("name", [n for n, c in CHANGES.items() if not c[2]])
def test_what_can_replace_it_is_left_alone(said: dict[str, Judgement], name: str) -> None:
    assert said[name].hits == ()


TWICE = "env: [{name: A, value: '1'}, {name: A, value: '2'}]"
PORTS = "ports: [{name: a, containerPort: 80}, {name: b, containerPort: 80}]"

# name → (base, head, the rules of what is said)
DOUBLED: dict[str, tuple[str, str, list[str]]] = {
    "env-doubled": (workload(TWICE.replace(", {name: A, value: '2'}", "")), workload(TWICE), ["api-warning"]),
    "port-doubled": (workload(PORTS.replace(", {name: b, containerPort: 80}", "")), workload(PORTS), ["api-warning"]),
    "was-doubled": (filled(SELECTED, "old").replace("web:1", f"web:1, {TWICE}"), filled(SELECTED, "new"), ["immutable-field"]),
    "still-doubled": (
        workload(TWICE),
        workload(TWICE).replace("app: web", "app: new"),
        ["api-warning", "immutable-field"],
    ),
}  # fmt: skip


@base
def once() -> list[Request]:
    return [request(name, old) for name, (old, _, _) in DOUBLED.items()]


@asked
def doubled() -> list[Request]:
    return [request(name, new) for name, (_, new, _) in DOUBLED.items()]


@pytest.mark.parametrize("name", DOUBLED)
def test_what_is_doubled_is_only_warned_of_and_hides_nothing(said: dict[str, Judgement], name: str) -> None:
    """Server-side apply refuses it, and Argo CD's default does not."""
    assert sorted(rules(said[name])) == DOUBLED[name][2]


@asked
def never_and_not_any_more() -> list[Request]:
    slip = "apiVersion: v1\nkind: ConfigurationMap\nmetadata: {name: slip}\n"
    gone = "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: gone}\n"
    return [request("slip", slip), request("gone", gone)]


def test_a_slip_in_a_kind_of_kubernetes_is_no_removed_version(said: dict[str, Judgement]) -> None:
    """What a stable version does not have it never had."""
    assert (rules(said["slip"]), rules(said["gone"])) == (["unknown-kind"], ["removed-api-version"])
    assert only(said["slip"]).message.endswith("v1 has no kind ConfigurationMap")


@base
def broken() -> list[Request]:
    return [request("mended", workload(spec="replicas: -1"))]


@asked
def mended() -> list[Request]:
    return [request("mended", workload(spec="replicas: 2"))]


def test_a_change_of_what_base_itself_cannot_have_is_told_to_be_open(said: dict[str, Judgement]) -> None:
    """Nobody can say whether head could take the place of something that was never there; that is no pass in silence."""
    hit = only(said["mended"])
    assert (hit.rule, hit.severity) == ("change-not-asked", Severity.INFO)
    assert "must be greater than or equal to 0" in hit.message


CONVERTS = (
    "spec:\n  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {url: "
    '"https://hooks.example.com/convert"}}}\n'
)


@base
def converted_before() -> list[Request]:
    return [request("converted", custom("River", "{size: 2}", version="v2"))]


@asked
def converted() -> list[Request]:
    rivers = definition("rivers", "River", versions="v1 v2").replace("spec:\n", CONVERTS, 1)
    return [
        request("converted", custom("River", version="v2")),
        request("converted-not", f"{rivers}---\n{custom('River')}"),
        request("converted-wrong", custom("River", "{size: 9}", version="v2")),
    ]


def test_what_only_a_webhook_could_convert_is_told_to_be_open(said: dict[str, Judgement]) -> None:
    """What can be said of it without one is said: that is asked first. And an object that is not asked about ends nothing."""
    hit = only(said["converted"])
    assert (hit.rule, hit.severity, hit.resource) == (
        "conversion-not-asked",
        Severity.WARNING,
        "River converted/mine",
    )
    assert rules(said["converted-not"]) == []
    assert rules(said["converted-wrong"]) == ["cel-rule"]


# ------------------------------------------------------------------ several clusters, versions, kinds that are not known


@asked
def of_two_clusters() -> list[Request]:
    everywhere = with_policy("everywhere", "shop", "Deny", "other")
    return [
        request("strict", workload(), namespace="web", labels={ENFORCE: "restricted"}, cluster="one"),
        request("plain", workload(), namespace="web", cluster="two"),
        request("denied", everywhere, namespace="shop", cluster="one"),
        request("let", config_map("other"), namespace="shop", cluster="two"),
        request("defined", definition("pots", "Pot") + "---\n" + custom("Pot"), cluster="one"),
        request("undefined", custom("Pot"), cluster="two"),
    ]


def test_no_cluster_is_judged_by_what_another_one_has(said: dict[str, Judgement]) -> None:
    assert rules_of(said, of_two_clusters) == {
        "strict": ["pod-security"],
        "plain": [],
        "denied": ["admission-policy"],
        "let": [],
        "defined": [],
        "undefined": ["unknown-kind"],
    }


MUTATING = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: labels}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  matchConditions: [{name: here, expression: "object.metadata.?namespace.orValue('') == 'mutated'"}]
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration:
        expression: 'Object{metadata: Object.metadata{labels: {"team": object.data["team"]}}}'
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: labels}
spec: {policyName: labels}
---
"""


def test_a_version_is_named_where_versions_differ(judge: Judge) -> None:
    several = "---\n".join([config_map("a", "{team: blue}"), config_map("b")])
    said = judge(
        [
            request("mutated", MUTATING + several),
            request("both", workload("imag: x")),
            request("fine", workload()),
            request("gone", "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n"),
        ],
        versions=("1.36", "1.37"),
    )
    first, second = said["fine"].versions
    assert (first[:5], second[:5], said["fine"].hits) == ("1.36.", "1.37.", ())
    assert only(said["both"]).message.startswith("Deployment in version")
    hit = only(said["mutated"])
    assert (hit.rule, hit.resource) == ("admission-policy", "ConfigMap mutated/b")
    assert hit.message.startswith("policy 'labels' with binding 'labels' denied request")
    assert only(said["gone"]).message.startswith(
        f"Kubernetes {first} and {second}: PodDisruptionBudget is not served"
    )


@asked
def with_parameters() -> list[Request]:
    text = policy("with-params", "with-params", "Deny").replace(
        "failurePolicy: Fail", "failurePolicy: Fail\n  paramKind: {apiVersion: v1, kind: ConfigMap}"
    )
    text = text.replace("startsWith('team-')", "startsWith(params.data.prefix)")
    text = text.replace(
        "validationActions: [Deny]",
        "validationActions: [Deny], paramRef: {name: blue-settings, namespace: with-params, parameterNotFoundAction: Deny}",
    )
    maps = [config_map("blue-settings", "{prefix: blue-}"), config_map("blue-a"), config_map("red-a")]
    return [request("with-params", "---\n".join([text, *maps]))]


def test_a_policy_has_its_parameters_before_it_judges(said: dict[str, Judgement]) -> None:
    hit = only(said["with-params"])
    assert (hit.rule, hit.resource) == ("admission-policy", "ConfigMap with-params/red-a")


@pytest.fixture(scope="module")
def given(judge: Judge) -> dict[str, Judgement]:
    """Judged on planes that are given definitions and objects, and where unknown kinds are taken as they are."""
    known = definition("lids", "Lid") + "---\n" + definition("pans", "Pan")
    pans = definition("pans", "Pan", rule="self.size > 5") + "---\n" + custom("Pan", "{size: 6}")
    strict = namespace("given", **{ENFORCE.replace("/", "__"): "restricted"})
    several = "---\n".join(custom("Spoon", "{anything: goes}", name=f"s{n}") for n in range(3))
    maps = config_map("a") + "---\n" + config_map("b")
    gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a}\n"
    gone = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: web}\n"
    return judge(
        [
            request("known", custom("Lid")),
            request("own", pans),
            request("prepared", workload(), namespace="given", creates=False),
            request("present", config_map("a"), namespace="argocd", creates=False),
            request("absent", maps, namespace="nowhere", creates=False),
            request("stubbed", several),
            request("of-kubernetes", gateway),
            request("removed", gone),
        ],
        known=[d.value for d in parse(known.encode())],
        prerequisites=[parse(strict.encode())[0].value],
        present={"main": {"argocd"}},
        stub=True,
    )


def test_unknown_kinds_are_taken_as_they_are_where_that_is_asked_for(given: dict[str, Judgement]) -> None:
    hit = only(given["stubbed"])
    assert (hit.rule, hit.severity, given["stubbed"].objects) == ("unknown-kind-stubbed", Severity.INFO, 3)
    assert hit.message.endswith("(2 more of this kind in this Application)")
    assert rules(given["of-kubernetes"]) == ["unknown-kind-stubbed"]
    assert rules(given["removed"]) == ["removed-api-version"]


def test_definitions_and_objects_from_elsewhere_count_and_what_is_rendered_counts_first(
    given: dict[str, Judgement],
) -> None:
    names = ("known", "own", "prepared", "present", "absent")
    assert {name: rules(given[name]) for name in names} == {
        "known": [],
        "own": [],
        "prepared": ["pod-security"],
        "present": [],
        "absent": ["namespace-missing"],
    }
    assert only(given["absent"]).severity is Severity.WARNING


def test_a_prerequisite_that_no_cluster_takes_is_the_configurations_error(judge: Judge) -> None:
    wrong = parse(config_map("Not_A_Name").encode())[0].value
    with pytest.raises(
        ConfigError, match=r"^pytest-gitops\.yaml prerequisites: ConfigMap default/Not_A_Name is refused"
    ):
        judge([request("web", workload())], prerequisites=[wrong])


# ------------------------------------------------------------------ how Argo CD would apply it


@asked
def bad_input() -> list[Request]:
    wild: list[Any] = [
        ["a"],
        None,
        {"kind": "ConfigMap"},
        {"apiVersion": "v1/../../x", "kind": "ConfigMap", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": 5}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": 5}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": "a"},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "etcd"},
            "data": {"a": "x" * 2_000_000},
        },
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": "hunter2"},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "b"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "good"}},
    ]
    return [
        Request(id="wild", cluster="main", namespace="wild", objects=wild, creates=True),
        Request(id="nowhere", cluster="main", namespace="", objects=[wild[-1]]),
    ]


def test_bad_input_is_named_and_the_rest_is_judged(said: dict[str, Judgement]) -> None:
    assert rules(said["wild"]) == [
        "invalid-object", "invalid-object", "invalid-object", "invalid-object", "invalid-object", "invalid-object",
        "invalid-object-name", "invalid-object", "object-too-large", "invalid-object",
    ]  # fmt: skip
    assert "hunter2" not in str(said["wild"].hits[-1].message)
    assert rules(said["nowhere"]) == ["no-namespace"]


@asked
def applied_in_several_ways() -> list[Request]:
    twice = workload("env: [{name: A, value: '1'}, {name: A, value: '2'}]")
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: hunter2\n"
    large = config_map("large", "{text: " + "x" * 300_000 + "}")
    return [
        request("client", twice),
        request("server", twice, server_side=True),
        request("secret", secret, server_side=True),
        request("copied", large),
        request("not-copied", large, server_side=True),
        request("replaced", large, replace=True),
    ]


def test_how_argocd_applies_an_object_decides_what_is_refused(said: dict[str, Judgement]) -> None:
    assert rules(said["client"]) == ["api-warning"]
    assert 'duplicate entries for key [name="A"]' in only(said["server"]).message
    assert rules(said["secret"]) == ["invalid-object"]
    assert "hunter2" not in only(said["secret"]).message
    assert rules(said["copied"]) == ["object-too-large"]
    assert "262144 bytes" in only(said["copied"]).message
    assert said["not-copied"].hits == said["replaced"].hits == ()


@asked
def with_quotas() -> list[Request]:
    stateful = STATEFUL.replace("  serviceName", "  replicas: 2\n  serviceName")
    job = filled(JOB, "1", "{}").replace("spec: {template", "spec: {parallelism: 3, completions: 2, template")
    return [
        request("claims", quota(requests__storage="1Gi") + "---" + stateful),
        request("first", quota(pods="3") + "---" + workload(spec="replicas: 2"), namespace="shared"),
        request("second", workload(spec="replicas: 2", name="other"), namespace="shared"),
        request("parallel", quota(pods="2") + "---\n" + job),
        # As ConfigMaps are parameters (with_parameters), these are brought before they are asked about, and count once.
        request("maps", quota(configmaps="2") + "---\n" + config_map("a") + "---\n" + config_map("b")),
        request("not-asked", workload(spec="replicas: 3", name="third"), namespace="silent", asked=False),
        request("asked", quota(pods="3") + "---" + workload(), namespace="silent"),
    ]  # fmt: skip


def test_a_quota_counts_everything_of_its_namespace(said: dict[str, Judgement]) -> None:
    assert {name: found for name, found in rules_of(said, with_quotas).items() if found} == {
        "claims": ["quota-exceeded"],
        "second": ["quota-exceeded"],
        "maps": ["quota-exceeded"],  # kube-root-ca.crt is the first
        "asked": ["quota-exceeded"],
    }
    assert said["parallel"].pods == 2


@asked
def thousands() -> list[Request]:
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{n}"}, "dataa": {}}
        for n in range(2000)
    ]
    return [Request(id="many", cluster="main", namespace="many", objects=objects, creates=True)]


def test_thousands_of_findings_are_all_there(said: dict[str, Judgement]) -> None:
    assert [hit.resource for hit in said["many"].hits] == [f"ConfigMap many/c{n}" for n in range(2000)]
    assert set(rules(said["many"])) == {"unknown-field"}


# ------------------------------------------------------------------ what our own pages have


@asked
def indexed_job() -> list[Request]:
    """The manifests of docs/sharding.md, and a slip in them."""
    page = (ROOT / "docs" / "sharding.md").read_text("utf-8")
    _, manifests = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    slip = manifests.replace("completionMode: Indexed", "completionMode: NonIndexed")
    return [request("indexed", manifests), request("indexed-not", slip)]


def test_the_indexed_job_is_taken_and_a_slip_in_it_would_not_be(said: dict[str, Judgement]) -> None:
    assert (said["indexed"].objects, said["indexed"].hits) == (2, ())
    assert "backoffLimitPerIndex" in only(said["indexed-not"]).message
