package gitops.change

import data.gitops.lib.change
import data.gitops.lib.identity

application_changed if change.of("argoproj.io", "Application")

# METADATA
# title: Automation switched
# description: |
#   Argo CD's hand in the Application changes: automated sync, self-heal or prune is switched on or off. On, what was
#   changed or made by hand in the cluster goes; off, it stays.
# scope: document
# custom:
#   rule: sync-policy-switched
#   subject: change
#   severity: warning
#   help: Look at the Application's differences in Argo CD before it is switched on; say why it is switched off.
sync_policy_switched contains hit if {
	application_changed
	some what in ["automated sync", "selfHeal", "prune"]
	switches(input.old)[what] != switches(input.object)[what]
	hit := {
		"msg": sprintf("%s: expected %s as before, saw %s", [
			what, on(switches(input.old)[what]), on(switches(input.object)[what]),
		]),
		"pointer": "/spec/syncPolicy/automated",
	}
}

switches(manifest) := {
	"automated sync": automated(manifest),
	"selfHeal": flag(manifest, "selfHeal"),
	"prune": flag(manifest, "prune"),
}

default automated(_) := false

automated(manifest) if {
	is_object(manifest.spec.syncPolicy.automated)
	not manifest.spec.syncPolicy.automated.enabled == false
}

default flag(_, _) := false

flag(manifest, field) if {
	automated(manifest)
	manifest.spec.syncPolicy.automated[field] == true
}

on(true) := "on"

on(false) := "off"

# METADATA
# title: Application to another project
# description: |
#   An Application moves to another AppProject: what it may deploy, who may see and sync it, and when, is another's.
# scope: document
# custom:
#   rule: application-project-changed
#   subject: change
#   severity: warning
#   help: Make sure that the other project permits all that it has, and that its teams are meant to have it.
application_project_changed contains hit if {
	application_changed
	old := object.get(input.old, ["spec", "project"], "default")
	new := object.get(input.object, ["spec", "project"], "default")
	old != new
	hit := {"msg": sprintf("expected project %q as before, saw %q", [old, new]), "pointer": "/spec/project"}
}

# METADATA
# title: Application to another place
# description: |
#   An Application's cluster or namespace changes. Argo CD makes everything anew there; in another cluster it leaves the
#   old objects behind, and in another namespace it prunes them, data included, if it prunes at all.
# scope: document
# custom:
#   rule: application-destination-changed
#   subject: change
#   severity: warning
#   help: Deploy to the new place by an Application of its own, move the data, and remove the old one then.
application_destination_changed contains hit if {
	application_changed
	place(input.old) != place(input.object)
	old := spoken_place(input.old)
	new := spoken_place(input.object)
	hit := {"msg": sprintf("expected destination %s as before, saw %s%s", [old, new, told]), "pointer": "/spec/destination"}
}

# Argo CD's own cluster has a name and an address.
place(manifest) := [identity.cluster(manifest), object.get(manifest, ["spec", "destination", "namespace"], "")]

spoken_place(manifest) := concat("/", [part |
	some field in ["server", "name", "namespace"]
	part := manifest.spec.destination[field]
	part != ""
])

default told := ""

told := sprintf(": %s", [change.fate]) if change.said
