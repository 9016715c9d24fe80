package gitops.application

# METADATA
# title: Deployed to the namespace default
# description: |
#   The Application deploys to the namespace `default`, which every cluster has and nobody owns: it cannot be deleted, and
#   its rights, quotas and network are those of all who chose none.
# scope: document
# custom:
#   rule: destination-default-namespace
#   subject: application
#   severity: info
#   help: Give the Application a namespace of its own; CreateNamespace=true makes it.
destination_default_namespace contains hit if {
	input.application.spec.destination.namespace == "default"
	hit := {
		"msg": "destination: expected a namespace of its own, saw \"default\"",
		"pointer": "/spec/destination/namespace",
	}
}
