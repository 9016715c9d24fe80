package gitops.repository

import data.gitops.lib.identity

# No message here may hold a value: only names of keys.

# METADATA
# title: Plain Secret in git
# description: |
#   A Secret with its values in a file of the repository is known to everybody who can read the repository, in every
#   clone and for good; base64 is no encryption. SealedSecret, ExternalSecret, files encrypted by SOPS, empty values
#   and placeholders (<path:…>) are fine.
# scope: document
# custom:
#   rule: plain-secret
#   subject: repository
#   severity: error
#   help: |
#     Replace the values, they are burnt; keep the new ones in a SealedSecret, an ExternalSecret or a file encrypted by
#     SOPS.
plain_secret contains hit if {
	some secret in input.all.secrets
	keys := plain_keys(secret.manifest)
	count(keys) > 0
	hit := {
		"msg": sprintf("%s: expected no value in git, saw plain ones for %s", [
			title(secret.manifest), concat(", ", sort(keys)),
		]),
		"resource": title(secret.manifest),
		"file": secret.file,
		"line": object.get(secret, "line", 0),
	}
}

# METADATA
# title: Secret made by rendering
# description: |
#   An Application renders a Secret with values in it: they come from a value file or a generator's file in git, or are
#   made up anew by every rendering, so that the Application never stays Synced. Secrets that are a file of the
#   repository are the matter of plain-secret.
# scope: document
# custom:
#   rule: rendered-secret
#   subject: repository
#   severity: warning
#   help: Let the chart use a Secret that exists (most have an existingSecret value), made by an operator.
rendered_secret contains hit if {
	some application in input.all.applications
	some secret in application.objects
	not hook(secret)
	keys := plain_keys(secret)
	count(keys) > 0
	not secret.metadata.name in written
	resource := identity.title(secret, application.manifest)
	hit := {
		"msg": sprintf("%s: expected no value in what is rendered, saw some for %s", [
			resource, concat(", ", sort(keys)),
		]),
		"resource": resource,
		"application": application.key,
	}
}

written contains secret.manifest.metadata.name if some secret in input.all.secrets

title(manifest) := concat(" ", [
	manifest.kind,
	concat("/", [part |
		some part in [object.get(manifest.metadata, "namespace", ""), object.get(manifest.metadata, "name", "")]
		part != ""
	]),
])

plain_keys(manifest) := {key |
	manifest.apiVersion == "v1"
	manifest.kind == "Secret"
	not manifest.sops
	some field in ["data", "stringData"]
	some key, value in manifest[field]
	secret_value(decoded(field, value))
	not harmless(manifest, key, decoded(field, value))
}

# A value of `data` that is no base64 is taken as it stands.
decoded(_, value) := sprintf("%v", [value]) if not is_string(value)

decoded("stringData", value) := value if is_string(value)

decoded("data", value) := base64.decode(value) if base64.is_valid(value)

decoded("data", value) := value if {
	is_string(value)
	not base64.is_valid(value)
}

secret_value(text) if {
	trim_space(text) != ""
	not placeholder(text)
	not certificate(text)
}

# What a plugin or SOPS fills in.
placeholder(text) if regex.match(`^\s*<[^<>]+>\s*$`, text)

placeholder(text) if startswith(text, "ENC[")

# A certificate is public; what comes with its key is not.
certificate(text) if {
	startswith(trim_space(text), "-----BEGIN CERTIFICATE-----")
	not contains(text, "PRIVATE KEY")
}

# Argo CD keeps repositories and clusters in Secrets; most of their fields are no secret.
harmless(manifest, key, _) if {
	manifest.metadata.labels["argocd.argoproj.io/secret-type"] in {
		"repository", "repo-creds", "cluster", "repository-write", "repo-write-creds",
	}
	key in {
		"url", "type", "name", "project", "server", "namespaces", "clusterResources", "shard", "insecure",
		"insecureIgnoreHostKey", "enableLfs", "enableOCI", "forceHttpBasicAuth", "username", "proxy", "noProxy",
		"githubAppID", "githubAppInstallationID", "githubAppEnterpriseBaseUrl", "insecureOCIForceHttp", "depth",
	}
}

harmless(manifest, "config", text) if {
	manifest.metadata.labels["argocd.argoproj.io/secret-type"] == "cluster"
	not regex.match(`"(password|bearerToken|keyData)"\s*:\s*"[^"]`, text)
}
