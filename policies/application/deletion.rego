package gitops.application

# METADATA
# title: Prune may delete everything
# description: |
#   With automated prune and allowEmpty, a source that renders to nothing (a moved folder, an empty value file) makes
#   Argo CD delete everything the Application has, without anybody's doing.
# scope: document
# custom:
#   rule: prune-allow-empty
#   subject: application
#   severity: warning
#   help: Remove allowEmpty from spec.syncPolicy.automated; empty the Application by hand when it is meant.
prune_allow_empty contains hit if {
	automated := input.application.spec.syncPolicy.automated
	object.get(automated, "enabled", true) == true
	automated.prune == true
	automated.allowEmpty == true
	hit := {
		"msg": "automated sync: expected allowEmpty to be off where prune is on, saw both on",
		"pointer": "/spec/syncPolicy/automated/allowEmpty",
	}
}

prefix := "resources-finalizer.argocd.argoproj.io"

cascading := {prefix, concat("/", [prefix, "foreground"]), concat("/", [prefix, "background"])}

finalizers := object.get(input.application, ["metadata", "finalizers"], [])

# METADATA
# title: Finalizer missing
# description: |
#   Without Argo CD's resources finalizer, deleting the Application leaves all its objects running, owned by nobody.
# scope: document
# custom:
#   rule: finalizer-missing
#   subject: application
#   severity: info
#   help: |
#     Add resources-finalizer.argocd.argoproj.io to metadata.finalizers, unless the objects are meant to outlive the
#     Application.
finalizer_missing contains hit if {
	not resources_finalizer
	hit := {
		"msg": sprintf("finalizers: expected %s (or …/foreground, …/background), saw none of them", [prefix]),
		"pointer": "/metadata/finalizers",
	}
}

resources_finalizer if {
	some finalizer in finalizers
	startswith(finalizer, prefix)
}

# METADATA
# title: Finalizer that nobody removes
# description: |
#   Argo CD's resources finalizer has two suffixes, /foreground and /background. With any other one Argo CD does not
#   know it, so a deleted Application stays in "Deleting" for ever, and its objects stay too.
# scope: document
# custom:
#   rule: finalizer-unknown
#   subject: application
#   severity: error
#   help: Write resources-finalizer.argocd.argoproj.io, alone or with /foreground or /background.
finalizer_unknown contains hit if {
	some i, finalizer in finalizers
	startswith(finalizer, prefix)
	not finalizer in cascading
	hit := {
		"msg": sprintf("finalizer %q: expected %s, alone or with /foreground or /background", [finalizer, prefix]),
		"pointer": sprintf("/metadata/finalizers/%d", [i]),
	}
}
