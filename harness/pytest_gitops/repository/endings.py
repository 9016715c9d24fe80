"""How the names of files end that are ours and no manifests. Light: whoever only asks and shows imports it."""

from __future__ import annotations

NOT_SEARCHED = (".gitops-test.yaml", ".gitops-test.yml", ".gitops-golden.yaml")
"""Of files that speak of Applications and declare none: scenarios, and what an Application was rendered to."""
