"""Signatures of commits, which Argo CD can demand and nobody can show here: what is tested is not what will be merged.

What is under test stands for a commit that the merge has yet to make. So what an AppProject demands is left out where
we bring the project ourselves. Where an Application brings it, Argo CD looks for signatures: all but the first time
that it is asked, for switching GPG off (ARGOCD_GPG_ENABLED) holds only once (util/sourceintegrity/source_integrity.go:
lookupGit, 3.6.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pytest_gitops.shapes import mapping

KEYS, INTEGRITY = "signatureKeys", "sourceIntegrity"

REFUSED = re.compile(r"ComparisonError: GIT/GPG: Failed verifying revision [^\n]*")
"""Argo CD's word for what is not signed as it should be."""


def demanded(project: Mapping[str, Any]) -> str:
    """The field of an AppProject that demands signatures, empty without one (AppProject.EffectiveSourceIntegrity)."""
    if mapping(project, "spec").get(KEYS):
        return KEYS
    policies = mapping(project, "spec", INTEGRITY, "git").get("policies")
    modes = [mapping(policy, "gpg").get("mode") for policy in policies] if isinstance(policies, list) else []
    return INTEGRITY if any(mode not in {None, "none"} for mode in modes) else ""


def without_demands(project: Mapping[str, Any]) -> Mapping[str, Any]:
    """`project` as it is where nobody can sign."""
    if not demanded(project):
        return project
    return {**project, "spec": {k: v for k, v in project["spec"].items() if k not in {KEYS, INTEGRITY}}}
