package gitops.application

import data.gitops.lib.production
import data.gitops.lib.settings

# METADATA
# title: Floating revision in production
# description: |
#   A production Application that follows HEAD, a branch or a version range deploys whatever is pushed next,
#   without a change of its own manifest that somebody could review or revert.
# scope: document
# custom:
#   rule: floating-revision
#   subject: application
#   severity: warning
#   help: Name a tag, a chart version or a commit in targetRevision, and move it by pull request.
floating_revision contains hit if {
	# What is hydrated follows a branch by design: what production has moves with the hydrated one.
	not production.hydrated

	# One sign of production is enough to be told; which one is told must not vary.
	sign := sort(production.evidence)[0]
	some i, source in production.sources
	revision := object.get(source, "targetRevision", "")
	not pinned(revision)
	hit := {
		"msg": sprintf("source %s: expected a fixed revision in production (%s %q), saw %s", [
			source.repoURL, sign.where, sign.text, spoken(revision),
		]),
		"pointer": revision_pointer(i),
	}
}

revision_pointer(i) := sprintf("/spec/sources/%d/targetRevision", [i]) if production.multiple

revision_pointer(_) := "/spec/source/targetRevision" if not production.multiple

spoken("") := "no targetRevision, which is HEAD"

spoken(revision) := sprintf("%q", [revision]) if revision != ""

# A commit, whole or shortened.
pinned(revision) if regex.match(`^[0-9a-f]{7,64}$`, revision)

# A version, alone or at the end of a tag's name: 1.2, v1.2.3, oracle-1.2.3, release/2024.05-1.
pinned(revision) if {
	regex.match(`^(.*[-_/@])?v?[0-9]+(\.[0-9]+)+([-+.][0-9A-Za-z.+-]+)?$`, revision)
	not ranged(revision)
}

# One number is a version to Argo CD as well.
pinned(revision) if regex.match(`^v?[0-9]+$`, revision)

pinned(revision) if startswith(revision, "refs/tags/")

# An OCI digest.
pinned(revision) if regex.match(`^sha256:[0-9a-f]{64}$`, revision)

pinned(revision) if {
	some pattern in settings.pinned_revisions
	regex.match(sprintf("^(%s)$", [pattern]), revision)
}

ranged(revision) if regex.match(`[*^~<>=| ,]|\.[xX](\.|$)`, revision)
