package gitops.application_test

import data.gitops.application

# Put together, so that no scanner takes this file for a leak.
fake_token := concat("_", ["ghp", "0123456789abcdefghij0123456789abcdef"])

test_application_credential_denies if {
	every helm in [
		{"values": sprintf("token: %s\n", [fake_token])},
		{"valuesObject": {"token": fake_token}},
		{"parameters": [{"name": "token", "value": fake_token}]},
	] {
		hits := application.application_credential with input as {"application": {"spec": {"source": {"helm": helm}}}}
		hits == {{"msg": "spec: expected no credential, saw a GitHub token", "pointer": "/spec"}}
	}
}

test_application_credential_allows if {
	every helm in [{}, {"values": "token: ghp_from-a-vault\n"}, {"parameters": [{"name": "token", "value": "$GITHUB_TOKEN"}]}] {
		count(application.application_credential) == 0 with input as {"application": {"spec": {"source": {"helm": helm}}}}
	}
}
