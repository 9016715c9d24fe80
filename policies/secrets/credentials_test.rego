package gitops.secrets_test

import data.gitops.secrets

settings(values) := {"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": values}}

running(container) := {"object": {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "w"},
	"spec": {"template": {"spec": {"containers": [object.union({"name": "a"}, container)]}}},
}}

repeated(text, times) := concat("", [text | some _ in numbers.range(1, times)])

# Each is put together here, so that no scanner takes this file for a leak.
samples := {
	"an AWS access key": concat("", ["AKIA", repeated("OMEGA234", 2)]),
	"a GitHub token": concat("", ["ghp", "_", repeated("a1B2c3", 6)]),
	"a GitLab token": concat("", ["glpat", "-", repeated("a1B2c3", 4)]),
	"a Slack token": concat("", ["xoxb", "-", repeated("12345-", 4)]),
	"a Slack webhook": concat("/", ["https://hooks.slack.com", "services", "T00000000", "B00000000", repeated("aB1", 8)]),
	"a Google API key": concat("", ["AIza", repeated("a1B2c", 7)]),
	"a private key": concat(" ", ["-----BEGIN RSA", "PRIVATE KEY-----"]),
	"a Stripe key": concat("_", ["sk", "live", repeated("a1B2c", 5)]),
	"an npm token": concat("_", ["npm", repeated("a1B2c3", 6)]),
	"a PyPI token": concat("", ["pypi-", "AgEI", repeated("a1B2c", 12)]),
	"a SendGrid key": concat(".", ["SG", repeated("ab", 11), repeated("a", 43)]),
	"a Vault token": concat(".", ["hvs", repeated("a1B2c3", 5)]),
	"a DigitalOcean token": concat("_", ["dop", "v1", repeated("0a1b2c3d", 8)]),
	"an Azure storage key": concat("", ["AccountKey=", repeated("aB", 43), "=="]),
	"an OpenAI or Anthropic key": concat("-", ["sk", "ant", repeated("a1B2c3", 6)]),
}

test_credential_plain_denies_every_format if {
	every what, sample in samples {
		hits := secrets.credential_plain with input as settings({"config.ini": sprintf("x=1\nvalue = %s\n", [sample])})
		hits == {{
			"msg": sprintf(`key "config.ini": expected no credential, saw %s`, [what]),
			"pointer": "/data/config.ini",
		}}
	}
}

test_credential_plain_denies_variables_arguments_and_long_texts if {
	sample := samples["a GitHub token"]
	every container in [
		{"env": [{"name": "X", "value": sample}]},
		{"args": [sprintf("--token=%s", [sample])]},
		{"command": ["run", sample]},
	] {
		count(secrets.credential_plain) == 1 with input as running(container)
	}
	long := sprintf("%s\n%s", [repeated("0123456789", 3000), sample])
	count(secrets.credential_plain) == 1 with input as settings({"long.txt": long})
}

test_credential_plain_denies_without_the_value if {
	every _, sample in samples {
		hits := secrets.credential_plain with input as running({"env": [{"name": "X", "value": sample}]})
		not contains(json.marshal(hits), sample)
		count(hits) == 1
	}
}

test_credential_plain_allows if {
	every value in [
		"",
		"AKIAIOSFODNN7EXAMPLE",
		"ghp_",
		"-----BEGIN CERTIFICATE-----",
		"-----BEGIN PUBLIC KEY-----",
		"-----BEGIN ENCRYPTED PRIVATE KEY-----",
		"$(GITHUB_TOKEN)",
		"https://hooks.slack.com/services/",
	] {
		count(secrets.credential_plain) == 0 with input as settings({"a": value})
		count(secrets.credential_plain) == 0 with input as running({"env": [{"name": "A", "value": value}]})
	}
	sealed := {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "spec": {"encryptedData": samples}}
	count(secrets.credential_plain) == 0 with input as {"object": sealed}
	referred := {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
	count(secrets.credential_plain) == 0 with input as running({"env": [referred]})
}

suspected := [
	["DB_PASSWORD", "changeme", "a password"],
	["API_TOKEN", concat("", ["q8Zr2", "Lw0vTn5", "xYc7Pd3s"]), "what looks like a credential"],
	["SESSION", concat("", ["Zk3vQ9xTr7", "Lw2NcYp8Hd", "Jf5Gm1BsXe", "4Ua6"]), "what looks like a credential"],
	["DATABASE", "postgres://oracle:hunter2@db:5432/grid", "a URL with a password"],
	["CACHE", "redis://:hunter2@cache:6379", "a URL with a password"],
	["BEARER", concat(".", ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJvbWVnYSJ9", "c2lnbmF0dXJlLW9mLWl0"]), "a JSON web token"],
]

test_credential_suspected_denies if {
	every example in suspected {
		hits := secrets.credential_suspected with input as running({"env": [{"name": example[0], "value": example[1]}]})
		{hit.msg | some hit in hits} == {sprintf(
			`container "a": variable %q: expected no credential, saw %s`,
			[example[0], example[2]],
		)}
		not contains(json.marshal(hits), example[1])
		count(secrets.credential_suspected) == 1 with input as settings({example[0]: example[1]})
	}
}

test_credential_suspected_denies_a_line_of_a_file if {
	file := "server:\n  port: 80\ndatabase:\n  url: db\n  password: hunter2\n"
	hits := secrets.credential_suspected with input as settings({"config.yaml": file})
	{hit.msg | some hit in hits} == {
		`key "config.yaml": expected no credential, saw a password in the line of "password"`,
	}
}

test_credential_suspected_allows if {
	every example in [
		["DB_PASSWORD", "$(PASSWORD)"],
		["DB_PASSWORD", "${PASSWORD}"],
		["DB_PASSWORD", ""],
		["DB_PASSWORD_FILE", "/run/secrets/db"],
		["SECRET_NAME", "oracle-db-2"],
		["TOKEN_ISSUER", "https://issuer.example"],
		["ACCESS_TOKEN", "ACCESS_TOKEN"],
		["EXISTING_SECRET", "matrix-news-mongodb-2"],
		["CHECKSUM", concat("", ["Zk3vQ9xTr7", "Lw2NcYp8Hd", "Jf5Gm1BsXe", "4Ua6"])],
		["REVISION", "6864734fa0c1d2e3b4a5968778695a4b3c2d1e0f"],
		["DATABASE", "postgres://oracle:$(DB_PASSWORD)@db:5432/grid"],
		["DATABASE", "postgres://oracle@db:5432/grid"],
		["DATABASE", "postgres://user:<password>@db"],
		["URL", "http://web:8080/x@y"],
	] {
		count(secrets.credential_suspected) == 0 with input as running({"env": [{"name": example[0], "value": example[1]}]})
		count(secrets.credential_suspected) == 0 with input as settings({example[0]: example[1]})
	}
	every file in ["# password: hunter2\n;password = hunter2\nport: 80\n", "password: ${DB}\npasswordPolicy: strict\nx: y\n"] {
		count(secrets.credential_suspected) == 0 with input as settings({"config.yaml": file})
	}
}

test_credential_suspected_allows_what_credential_plain_tells if {
	sample := samples["a GitHub token"]
	count(secrets.credential_suspected) == 0 with input as running({"env": [{"name": "TOKEN", "value": sample}]})
	count(secrets.credential_plain) == 1 with input as running({"env": [{"name": "TOKEN", "value": sample}]})
}
