package gitops.change

import data.gitops.lib.change

# What both sides ask of storage: {title, pointer, old, new}, a claim's own spec or a StatefulSet's templates' by name.
claims := array.concat(own_claim, template_claims)

own_claim := [{"title": "claim", "pointer": "/spec", "old": input.old.spec, "new": input.object.spec} |
	change.of("", "PersistentVolumeClaim")
]

template_claims := [claim |
	change.of("apps", "StatefulSet")
	some old in input.old.spec.volumeClaimTemplates
	some i, new in input.object.spec.volumeClaimTemplates
	old.metadata.name == new.metadata.name
	claim := {
		"title": sprintf("claim template %q", [new.metadata.name]),
		"pointer": sprintf("/spec/volumeClaimTemplates/%d/spec", [i]),
		"old": old.spec,
		"new": new.spec,
	}
]

# METADATA
# title: Claim shrunk
# description: |
#   A claim asks for less storage than before. No volume shrinks: the API server refuses it and the sync fails, or, if the
#   claim is replaced, what is on it is lost.
# scope: document
# custom:
#   rule: claim-shrunk
#   subject: change
#   severity: error
#   help: Leave the size as it is; for less storage make a new claim, move the data, and remove the old one.
claim_shrunk contains hit if {
	some claim in claims
	old := claim.old.resources.requests.storage
	new := claim.new.resources.requests.storage
	units.parse_bytes(sprintf("%v", [new])) < units.parse_bytes(sprintf("%v", [old]))
	hit := {
		"msg": sprintf("%s: expected at least %v as before, saw %v", [claim.title, old, new]),
		"pointer": sprintf("%s/resources/requests/storage", [claim.pointer]),
	}
}

# METADATA
# title: Storage class changed
# description: |
#   A claim names another storage class. The class of a claim cannot be changed: the sync fails, or, if the claim is
#   replaced, what is on it is lost.
# scope: document
# custom:
#   rule: storage-class-changed
#   subject: change
#   severity: error
#   help: Make a new claim with the other class, move the data, and remove the old one.
storage_class_changed contains hit if {
	some claim in claims
	old := object.get(claim.old, "storageClassName", "")
	new := object.get(claim.new, "storageClassName", "")
	old != new
	hit := {
		"msg": sprintf("%s: expected storage class %s as before, saw %s", [claim.title, spoken_class(old), spoken_class(new)]),
		"pointer": sprintf("%s/storageClassName", [claim.pointer]),
	}
}

spoken_class("") := "of the cluster's default"

spoken_class(name) := sprintf("%q", [name]) if name != ""
