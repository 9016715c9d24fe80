package gitops.secrets

import data.gitops.lib.credentials
import data.gitops.lib.pods

# No message here may hold a value: only names of keys and of formats.

# All of it as one text, to be quick about the many objects that have nothing to hide.
raw := json.marshal(input.object.data) if config_map

raw := json.marshal([object.get(pods.spec, "containers", []), object.get(pods.spec, "initContainers", [])]) if pods.pointer

config_map if {
	input.object.kind == "ConfigMap"
	input.object.apiVersion == "v1"
}

# Every text of the object that somebody wrote as a setting: {title, name, text, pointer, whole}. `whole` says that the
# text is one value, not a file of many.
texts := array.concat(of_config_map, of_containers)

of_config_map := [text |
	config_map
	some key, value in input.object.data
	is_string(value)
	text := {
		"title": sprintf("key %q", [key]),
		"name": key,
		"text": value,
		"pointer": sprintf("/data/%s", [escaped(key)]),
		"whole": not_lines(value),
	}
]

default not_lines(_) := false

not_lines(value) if not contains(trim_space(value), "\n")

of_containers := [text | some container in pods.containers; some text in array.concat(of_env(container), of_words(container))]

of_env(container) := [{
	"title": sprintf("%s: variable %q", [container.title, variable.name]),
	"name": variable.name,
	"text": variable.value,
	"pointer": sprintf("%s/env/%d/value", [container.pointer, i]),
	"whole": true,
} |
	some i, variable in container.spec.env
	is_string(variable.value)
]

of_words(container) := [{
	"title": sprintf("%s: %s", [container.title, field]),
	"name": "",
	"text": word,
	"pointer": sprintf("%s/%s/%d", [container.pointer, field, i]),
	"whole": false,
} |
	some field in ["command", "args"]
	some i, word in container.spec[field]
	is_string(word)
]

escaped(key) := replace(replace(key, "~", "~0"), "/", "~1")

# METADATA
# title: Credential in plain text
# description: |
#   A variable, an argument or a ConfigMap has a credential in a format that leaves no doubt: a private key, a key of AWS,
#   a token of GitHub, GitLab, Slack and others. Whoever reads the repository or the namespace has it.
# scope: document
# custom:
#   rule: credential-plain
#   subject: object
#   severity: error
#   help: |
#     Revoke the credential, it is burnt; keep the new one in a SealedSecret, an ExternalSecret or a file encrypted by
#     SOPS, and read it from the Secret.
credential_plain contains hit if {
	credentials.needle_in(raw)
	some text in texts
	some what in credentials.known(text.text)
	hit := {"msg": sprintf("%s: expected no credential, saw %s", [text.title, what]), "pointer": text.pointer}
}

# METADATA
# title: Perhaps a credential in plain text
# description: |
#   A variable, an argument or a ConfigMap has a value under a name like PASSWORD, a URL with a password in it, a JSON web
#   token, or a text that is too random for anything else.
# scope: document
# custom:
#   rule: credential-suspected
#   subject: object
#   severity: warning
#   help: Read it from a Secret (secretKeyRef); if it is no credential, waive it and say what it is.
credential_suspected contains hit if {
	credentials.suspicious(raw)
	some text in texts
	credentials.suspicious(concat("=", [text.name, text.text]))
	what := min(suspicions(text))
	count(credentials.known(text.text)) == 0
	hit := {"msg": sprintf("%s: expected no credential, saw %s", [text.title, what]), "pointer": text.pointer}
}

suspicions(text) := (by_value(text) | by_whole(text)) | by_line(text)

by_value(text) := {"a URL with a password" | credentials.url_password(text.text)} | {"a JSON web token" |
	credentials.web_token(text.text)
}

by_whole(text) := {what |
	text.whole
	what := credentials.by_name(text.name, text.text)
} | {"what looks like a credential" |
	text.whole
	credentials.random(text.name, text.text)
}

by_line(text) := {sprintf("%s in the line of %q", found) |
	not text.whole
	text.name != ""
	some found in credentials.in_lines(text.text)
}
