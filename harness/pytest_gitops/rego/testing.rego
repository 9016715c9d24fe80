# METADATA
# description: |
#   Input documents for tests of rules, as a run gives them. There for `pytest-gitops policy test`:
#   count(team.rule) == 1 with input as testing.rendered({"kind": "Pod"})
package gitops.testing

version := "1"

# An Application to be part of.
application_example := {
	"apiVersion": "argoproj.io/v1alpha1",
	"kind": "Application",
	"metadata": {"name": "example", "namespace": "argocd"},
	"spec": {
		"project": "example",
		"source": {
			"repoURL": "https://git.example/example.git",
			"targetRevision": "v1.0.0",
			"path": "example",
		},
		"destination": {"server": "https://kubernetes.default.svc", "namespace": "example"},
	},
}

# The input of rules with subject application; their AppProject is null, or given.
application(manifest) := application_in(manifest, null)

application_in(manifest, project) := {"version": version, "application": manifest, "project": project}

# The input of rules with subject object, part of the example, or of a given Application.
rendered(manifest) := rendered_by(manifest, application_example)

rendered_by(manifest, owner) := {"version": version, "object": manifest, "application": owner}

# The input of rules with subject change. `old` or `new` is null for what comes or goes; what has the same
# content on both sides is no change, so it is never asked about.
change(old, new) := change_with(old, new, {})

change_with(old, new, more) := json.patch(
	{
		"version": version,
		"kind": "change",
		"change": what(old, new),
		"old": old,
		"object": new,
		"application": application_example,
		"oldApplication": application_example,
		"project": null,
		"effect": "",
		"effectText": "",
		"data": "",
	},
	[{"op": "add", "path": [key], "value": value} | some key, value in more],
)

what(null, _) := "added"

what(old, null) := "removed" if old != null

what(old, new) := "changed" if {
	old != null
	new != null
}

# The input of rules with subject repository: Applications with what they render to, AppProjects and Secrets.
repository(applications, projects, secrets) := {
	"version": version,
	"all": {"applications": applications, "projects": projects, "secrets": secrets},
}

declared(manifest, objects) := {
	"key": sprintf("%s/%s", [object.get(manifest.metadata, "namespace", "argocd"), manifest.metadata.name]),
	"manifest": manifest,
	"file": "applications.yaml",
	"line": 1,
	"objects": objects,
}
