# METADATA
# description: What a change does to the old object, whether it goes, and in whose words that is said.
package gitops.lib.change

import data.gitops.lib.identity

effect := object.get(input, "effect", "")

# Argo CD deletes it, at once or when somebody confirms; "" is not known, and taken for the worst.
deleting := {"pruned", "pruned-on-confirm", "deleted-with-application", "deleted-on-confirm", ""}

# It goes on existing under another Application, or another one has it too.
elsewhere := {"moved", "shared"}

# The old object as it was, where this change makes Argo CD delete it.
gone := input.old if {
	is_object(input.old)
	input.change in {"removed", "renamed", "replaced"}
	effect in deleting
}

# The old object, where it leaves git and stays in the cluster.
kept := input.old if {
	is_object(input.old)
	input.change in {"removed", "renamed", "replaced"}
	not effect in (deleting | elsewhere)
}

# What Argo CD will do, in one sentence; the comparison's own where it has one.
fate := text if {
	text := object.get(input, "effectText", "")
	is_string(text)
	text != ""
}

fate := object.get(fates, effect, effect) if not said

said if {
	is_string(input.effectText)
	input.effectText != ""
}

fates := {
	"": "what Argo CD does with it is not known",
	"pruned": "Argo CD prunes it",
	"pruned-on-confirm": "Argo CD prunes it when somebody confirms",
	"deleted-with-application": "Argo CD deletes it with its Application",
	"deleted-on-confirm": "Argo CD deletes it when somebody confirms",
	"kept-no-prune": "it stays, because the Application does not prune",
	"kept-prune-false": "it stays, because it has Prune=false",
	"orphaned": "it stays and belongs to no Application",
	"left-behind": "it stays in the cluster that the Application leaves",
}

# What becomes of its data, where the comparison's own sentence has not said it.
default data_fate := ""

data_fate := object.get(data_fates, input.data, "") if not said

data_fates := {
	"lost": "; its data is lost",
	"kept": "; its data is kept",
	"unknown": "; whether its data is kept is not known",
}

both if {
	is_object(input.old)
	is_object(input.object)
}

is_of(manifest, group, kind) if {
	manifest.kind == kind
	identity.group(manifest) == group
}

# Both sides are of this kind.
of(group, kind) if {
	both
	is_of(input.old, group, kind)
	is_of(input.object, group, kind)
}
