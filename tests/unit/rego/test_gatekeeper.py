"""ConstraintTemplates and Constraints as they stand in files."""

from __future__ import annotations

import pytest

from pytest_gitops.model import Severity
from pytest_gitops.rego.gatekeeper import Gatekeeper, Written, read
from pytest_gitops.repository.manifest import parse

TEMPLATE = """\
apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata:
  name: needslabel
  annotations:
    metadata.gatekeeper.sh/title: A label is needed
    description: Who owns it.
spec:
  crd:
    spec:
      names: {kind: NeedsLabel}
      validation:
        openAPIV3Schema:
          type: object
          properties:
            label: {type: string, default: owner}
            nested:
              type: array
              items: {type: object, properties: {depth: {type: integer, default: 3}}}
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package needslabel

        import data.lib.labels

        # data.lib stays what it is here, and in "data.lib"
        violation[{"msg": msg}] {
          not labels.has(input.review.object, input.parameters.label)
          msg := "data.lib"
        }
      libs:
        - |
          package lib.labels

          has(object, label) { object.metadata.labels[label] }
"""

CONSTRAINT = """\
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: NeedsLabel
metadata: {name: all-pods}
spec:
  match: {kinds: [{apiGroups: [""], kinds: [Pod]}]}
"""


def reading(*texts: str) -> Gatekeeper:
    return read(
        Written(file=f"policies/{number}.yaml", document=document)
        for number, text in enumerate(texts)
        for document in parse(text)
    )


def problem(*texts: str) -> str:
    (told,) = reading(*texts).problems
    assert told.counts
    return f"{told.where}: {told.message}"


def test_a_constraint_is_a_rule_with_its_templates_words_and_defaults() -> None:
    found = reading(TEMPLATE + CONSTRAINT)
    assert found.problems == ()
    (rule,) = found.rules
    assert (rule.code, rule.title, rule.description) == (
        "needslabel-all-pods",
        "A label is needed",
        "Who owns it.",
    )
    assert (rule.severity, rule.where) == (Severity.ERROR, "policies/0.yaml:38")
    assert rule.constraint is not None
    assert rule.constraint.parameters == {"label": "owner"}
    assert not rule.constraint.inventory


def test_defaults_reach_what_is_nested() -> None:
    given = CONSTRAINT + "  parameters: {label: team, nested: [{}, {depth: 1}]}\n"
    (rule,) = reading(TEMPLATE + given).rules
    assert rule.constraint is not None
    assert rule.constraint.parameters == {"label": "team", "nested": [{"depth": 3}, {"depth": 1}]}


def test_a_template_has_packages_and_libraries_of_its_own() -> None:
    (template,) = reading(TEMPLATE).templates
    code, library = template.sources
    assert code.text.splitlines()[0] == "package gitops_gatekeeper.needslabel.template"
    assert code.text.splitlines()[2] == "import data.gitops_gatekeeper.needslabel.lib.labels"
    assert '# data.lib stays what it is here, and in "data.lib"' in code.text
    assert 'msg := "data.lib"' in code.text
    assert library.text.startswith("package gitops_gatekeeper.needslabel.lib.labels\n")
    assert (code.old, code.file, code.offset, library.offset) == (True, "policies/0.yaml", 22, 33)


NEWER = """\
apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: newer}
spec:
  crd: {spec: {names: {kind: Newer}}}
  targets:
    - target: admission.k8s.gatekeeper.sh
      operations: [CREATE, DELETE]
      code:
        - engine: K8sNativeValidation
          source: {validations: []}
        - engine: Rego
          source:
            version: v1
            rego: |
              package newer
              violation contains {"msg": "x"} if data.inventory.cluster
"""


def test_code_is_read_by_engine_and_version() -> None:
    (template,) = reading(NEWER).templates
    assert [s.old for s in template.sources] == [False]
    assert (template.operations, template.inventory) == (frozenset({"CREATE", "DELETE"}), True)


CEL = NEWER.replace("engine: Rego", "engine: Other")


def test_a_template_without_rego_is_said_not_to_be_checked() -> None:
    constraint = CONSTRAINT.replace("NeedsLabel", "Newer")
    (told,) = reading(CEL + constraint).problems
    assert (told.rule, told.severity, told.where) == (
        "policy-not-checked",
        Severity.WARNING,
        "policies/0.yaml:9",
    )
    assert "written for K8sNativeValidation, Other, which only Gatekeeper runs" in told.message


def enforced(lines: str) -> Severity | None:
    found = reading(TEMPLATE + CONSTRAINT + lines)
    assert found.problems == ()
    return found.rules[0].severity if found.rules else None


def scoped(*entries: str) -> str:
    return "  enforcementAction: scoped\n  scopedEnforcementActions:\n" + "".join(
        f"    - {{action: {e.split()[0]}, enforcementPoints: [{{name: {e.split()[1]!r}}}]}}\n"
        for e in entries
    )


@pytest.mark.parametrize(
    ("lines", "severity"),
    [
        ("  enforcementAction: deny\n", Severity.ERROR),
        ("  enforcementAction: warn\n", Severity.WARNING),
        ("  enforcementAction: dryrun\n", Severity.INFO),
        (scoped("warn validation.gatekeeper.sh"), Severity.WARNING),
        (scoped("warn *"), Severity.WARNING),
        (scoped("warn *", "deny validation.gatekeeper.sh"), Severity.WARNING),
        (scoped("dryrun validation.gatekeeper.sh", "deny validation.gatekeeper.sh"), Severity.ERROR),
        (scoped("deny validation.gatekeeper.sh", "warn gator.gatekeeper.sh"), Severity.WARNING),
        (scoped("deny audit.gatekeeper.sh"), Severity.INFO),
        (scoped("deny nowhere"), None),
    ],
)
def test_an_enforcement_action_is_a_severity(lines: str, severity: Severity | None) -> None:
    assert enforced(lines) is severity


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CONSTRAINT, "policies/0.yaml:2: NeedsLabel all-pods: expected its ConstraintTemplate in the policy folders, saw none"),
        (
            TEMPLATE + CONSTRAINT + "  enforcementAction: refuse\n",
            "policies/0.yaml:43: NeedsLabel all-pods: enforcementAction: expected one of deny, warn, dryrun, scoped, saw 'refuse'",
        ),
        (
            TEMPLATE + CONSTRAINT.replace("match: {kinds: [{", "match: {namespaces: grid, kinds: [{"),
            "policies/0.yaml:42: NeedsLabel all-pods: spec.match.namespaces: expected a list of texts",
        ),
        (
            TEMPLATE + "---\n" + TEMPLATE,
            "policies/0.yaml:38: ConstraintTemplate needslabel: a template of kind NeedsLabel was read before",
        ),
        (
            TEMPLATE.replace("admission.k8s.gatekeeper.sh", "elsewhere"),
            "policies/0.yaml:21: ConstraintTemplate needslabel: target: expected admission.k8s.gatekeeper.sh, saw 'elsewhere'",
        ),
        (
            TEMPLATE.replace("violation[", "deny["),
            "policies/0.yaml:22: ConstraintTemplate needslabel: expected a rule violation in its Rego, saw none",
        ),
        (
            TEMPLATE.replace("package lib.labels", "package labels"),
            "policies/0.yaml:33: ConstraintTemplate needslabel: expected a library of package lib.…, saw labels",
        ),
        (
            TEMPLATE.replace("kind: NeedsLabel", "kind: ''"),
            "policies/0.yaml:8: ConstraintTemplate needslabel: spec.crd.spec.names.kind: expected a kind, saw ''",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_told_with_its_line(text: str, said: str) -> None:
    assert problem(text) == said


def test_a_template_that_is_wrong_is_told_once_not_again_for_its_constraints() -> None:
    broken = TEMPLATE.replace("violation[", "deny[")
    assert len(reading(broken + CONSTRAINT).problems) == 1


def test_what_changes_constraints_and_is_not_done_here_is_said() -> None:
    expansion = (
        "apiVersion: expansion.gatekeeper.sh/v1beta1\nkind: ExpansionTemplate\nmetadata: {name: pods}\n"
    )
    (told,) = reading(expansion).problems
    assert told.rule == "policy-not-checked"
    assert told.message == "ExpansionTemplate pods: what a workload expands to is not made here"


def test_other_objects_are_left_alone() -> None:
    assert (
        reading("kind: Config\napiVersion: config.gatekeeper.sh/v1alpha1\n", "a: 1\n", "- 1\n")
        == Gatekeeper()
    )
