"""Which codes a waiver can name beside those of policies: the stage admit's, those of `rbac:`, and of
policies themselves."""

from __future__ import annotations

from pytest_gitops.admission.values import CODES
from pytest_gitops.rego.problems import Trouble

RBAC = ("rbac-expectation", "rbac-not-judged", "rbac-subject-unknown")
"""What comes of `rbac:`."""

WAIVABLE = (*sorted(CODES), *RBAC, *Trouble)
