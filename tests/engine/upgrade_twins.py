"""The defects of the pull request of `upgrade`, and what each is told by."""

from __future__ import annotations

RED = {
    "selector": ("sync-failed", "selector/web.yaml:6", "immutable-field"),
    "templates": ("sync-failed", "templates/db.yaml:1", "immutable-field"),
    "shrunk": ("sync-failed", "shrunk/claim.yaml:1", "immutable-claim"),
    "stored": ("sync-failed", "stored/crd.yaml:1", "stored-version"),
    "hook": ("sync-failed", "hook/migrate.yaml:1", "quota-exceeded"),
    "one-way": ("rollback-failed", "one-way/crd.yaml:1", "stored-version"),
    "replaced": ("claim-replaced", "replaced/claim.yaml:1", ""),
    "replaced-set": ("claim-replaced", "replaced-set/db.yaml:1", ""),
    "handed-over": ("claim-replaced", "handed-over/db.yaml:1", ""),
    "lodger": ("lost-object", "lodger/settings.yaml:1", ""),
    "orphans": ("orphaned-object", "orphans/settings.yaml:1", ""),
    "child-orphans": ("orphaned-object", "child-orphans/settings.yaml:1", ""),
    "left-alone": ("orphaned-object", "left-alone/settings.yaml:1", ""),
    "abroad": ("orphaned-object", "abroad/settings.yaml:1", ""),
    "uncounted": ("not-pruned", "uncounted/old.yaml:1", ""),
    "held": ("not-deleted", "held/settings.yaml:1", ""),
    "after": ("shared-resource", "renamed/settings.yaml:1", ""),
}
"""Application → code, place, and the class of its cause where one is known: what we see ourselves says why in its message."""
