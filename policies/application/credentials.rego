package gitops.application

import data.gitops.lib.credentials

# METADATA
# title: Credential in an Application
# description: |
#   The Application's values, parameters or variables have a credential in a format that leaves no doubt. Besides the
#   repository, everybody who may see the Application in Argo CD has it.
# scope: document
# custom:
#   rule: application-credential
#   subject: application
#   severity: error
#   help: |
#     Revoke the credential, it is burnt; let the chart read the new one from a Secret that exists.
application_credential contains hit if {
	text := json.marshal(input.application.spec)
	credentials.needle_in(text)
	some what in credentials.known(text)
	hit := {"msg": sprintf("spec: expected no credential, saw %s", [what]), "pointer": "/spec"}
}
