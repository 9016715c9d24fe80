"""Which codes a waiver can name beside those of policies: the stage admit's, those of `rbac:`, of policies themselves,
and of what the other stages warn of."""

from __future__ import annotations

from pytest_gitops.admission.values import CODES
from pytest_gitops.rego.problems import Trouble

RBAC = ("rbac-expectation", "rbac-not-judged", "rbac-subject-unknown")
"""What comes of `rbac:`."""

WARNINGS = ("change-ignored", "pods-not-restarted", "resource-excluded")
"""What `change` and `converge` warn of."""

WAIVABLE = (*sorted(CODES), *RBAC, *Trouble, *WARNINGS)
