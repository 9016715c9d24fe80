package gitops.repository_test

import data.gitops.repository

marker := "the-marker-value"

secret(more) := object.union({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "grid"}}, more)

written(manifest) := {"all": {"applications": [], "projects": [], "secrets": [{
	"manifest": manifest,
	"file": "secret.yaml",
	"line": 3,
}]}}

rendered(manifest) := all_of([app("argocd/a", 1, here, [manifest])])

plain := [
	secret({"stringData": {"password": marker}}),
	secret({"data": {"password": base64.encode(marker)}}),
	secret({"data": {"password": "no base64!"}}),
	secret({"stringData": {"port": 5432}}),
	secret({"stringData": {"tls.pem": "-----BEGIN CERTIFICATE-----\nMII\n-----BEGIN PRIVATE KEY-----\nMII"}}),
]

fine := [
	secret({}),
	secret({"data": {"password": ""}}),
	secret({"stringData": {"password": " "}}),
	secret({"data": null}),
	secret({"stringData": {"ca.crt": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"}}),
	secret({"stringData": {"password": "<path:secret/data/grid#password>"}}),
	secret({"data": {"password": base64.encode("<password>")}}),
	secret({"stringData": {"password": marker}, "sops": {"mac": "ENC[AES256_GCM,data:x]"}}),
	secret({"stringData": {"password": "ENC[AES256_GCM,data:x]"}}),
	{"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "spec": {"encryptedData": {"password": marker}}},
	{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "spec": {"data": [{"secretKey": marker}]}},
	secret({
		"metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
		"stringData": {"url": "https://git.example/grid.git", "type": "git"},
	}),
	secret({
		"metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
		"stringData": {"name": "prod", "server": "https://p", "config": `{"tlsClientConfig":{"insecure":false}}`},
	}),
]

test_plain_secret_denies_values_in_files if {
	every manifest in plain {
		count(repository.plain_secret) == 1 with input as written(manifest)
	}
}

test_plain_secret_denies_a_repository_password_and_a_cluster_token if {
	every example in [
		["repository", {"url": "https://git.example", "password": marker}],
		["cluster", {"server": "https://p", "config": `{"bearerToken": "the-marker-value"}`}],
	] {
		count(repository.plain_secret) == 1 with input as written(secret({
			"metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": example[0]}},
			"stringData": example[1],
		}))
	}
}

test_plain_secret_denies_with_names_of_keys_only if {
	hits := repository.plain_secret with input as written(secret({
		"stringData": {"password": marker, "user": marker},
		"data": {"token": base64.encode(marker)},
	}))
	hits == {{
		"msg": "Secret grid/s: expected no value in git, saw plain ones for password, token, user",
		"resource": "Secret grid/s",
		"file": "secret.yaml",
		"line": 3,
	}}
}

test_plain_secret_allows_what_hides_its_values if {
	every manifest in fine {
		count(repository.plain_secret) == 0 with input as written(manifest)
	}
}

test_rendered_secret_denies_values if {
	every manifest in plain {
		count(repository.rendered_secret) == 1 with input as rendered(manifest)
	}
}

test_rendered_secret_denies_with_names_of_keys_only if {
	hits := repository.rendered_secret with input as rendered(secret({"stringData": {"password": marker}}))
	hits == {{
		"msg": "Secret grid/s: expected no value in what is rendered, saw some for password",
		"resource": "Secret grid/s",
		"application": "argocd/a",
	}}
}

test_rendered_secret_allows_what_hides_its_values if {
	every manifest in fine {
		count(repository.rendered_secret) == 0 with input as rendered(manifest)
	}
}

test_rendered_secret_allows_what_plain_secret_tells if {
	manifest := secret({"stringData": {"password": marker}})
	subject := {"all": object.union(written(manifest).all, {"applications": rendered(manifest).all.applications})}
	count(repository.rendered_secret) == 0 with input as subject
	count(repository.plain_secret) == 1 with input as subject
}
