package gitops.change_test

changed(old, new) := {"version": "1", "kind": "change", "change": "changed", "old": old, "object": new, "effect": ""}

gone(old, effect) := gone_as("removed", old, effect)

gone_as(what, old, effect) := {
	"version": "1",
	"kind": "change",
	"change": what,
	"old": old,
	"object": null,
	"effect": effect,
}

added(new) := {"version": "1", "kind": "change", "change": "added", "old": null, "object": new, "effect": ""}

thing(api_version, kind, more) := object.union(
	{"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "grid"}},
	more,
)

messages(hits) := {hit.msg | some hit in hits}

deletions := ["pruned", "pruned-on-confirm", "deleted-with-application", "deleted-on-confirm", ""]

others := ["kept-no-prune", "kept-prune-false", "orphaned", "left-behind", "moved", "shared"]
