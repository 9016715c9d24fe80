# METADATA
# description: |
#   What gives a credential away: the formats that issuers chose so that theirs can be found, names, and randomness.
#   Nothing here hands on the text that it looked at.
package gitops.lib.credentials

import data.gitops.lib.entropy

# {pattern, needle}: what is looked for where the needle, which is quick to find, is there at all.
formats := {
	"an AWS access key": {"needles": ["AKIA", "ASIA"], "pattern": `\b(AKIA|ASIA)[A-Z2-7]{16}\b`},
	"a GitHub token": {
		"needles": ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
		"pattern": `\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})`,
	},
	"a GitLab token": {
		"needles": ["glpat-", "gldt-", "glrt-", "glptt-"],
		"pattern": `\b(glpat|gldt|glrt|glptt)-[A-Za-z0-9_-]{20,}`,
	},
	"a Slack token": {
		"needles": ["xoxa-", "xoxb-", "xoxe", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
		"pattern": `\b(xox[abprs]|xoxe\.xox[bp]|xapp)-[A-Za-z0-9-]{20,}`,
	},
	"a Slack webhook": {
		"needles": ["hooks.slack.com/"],
		"pattern": `hooks\.slack\.com/(services|workflows)/[A-Za-z0-9]{8,}/[A-Za-z0-9]{8,}/[A-Za-z0-9]{16,}`,
	},
	"a Google API key": {"needles": ["AIza"], "pattern": `\bAIza[A-Za-z0-9_-]{35}`},
	"a private key": {
		"needles": ["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", "AGE-SECRET-KEY-1"],
		"pattern": `-----BEGIN ((RSA|EC|DSA|OPENSSH) )?PRIVATE KEY-----|-----BEGIN PGP PRIVATE KEY BLOCK-----|AGE-SECRET-KEY-1[0-9A-Z]{50}`,
	},
	"a Stripe key": {"needles": ["sk_live_", "rk_live_"], "pattern": `\b[sr]k_live_[A-Za-z0-9]{20,}`},
	"an npm token": {"needles": ["npm_"], "pattern": `\bnpm_[A-Za-z0-9]{36}`},
	"a PyPI token": {"needles": ["pypi-AgEI"], "pattern": `\bpypi-AgEI[A-Za-z0-9_-]{50,}`},
	"a SendGrid key": {"needles": ["SG."], "pattern": `\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}`},
	"a Vault token": {"needles": ["hvs.", "hvb."], "pattern": `\bhv[sb]\.[A-Za-z0-9_-]{24,}`},
	"a DigitalOcean token": {"needles": ["dop_v1_"], "pattern": `\bdop_v1_[0-9a-f]{64}`},
	"an Azure storage key": {"needles": ["AccountKey="], "pattern": `AccountKey=[A-Za-z0-9+/]{86}==`},
	"an OpenAI or Anthropic key": {"needles": ["sk-proj-", "sk-ant-"], "pattern": `\bsk-(proj|ant)-[A-Za-z0-9_-]{32,}`},
}

# All needles at once, to be quick about the many texts that have none. A test holds that no needle is missing.
any_needle := `A[KS]IA|gh[pousr]_|github_pat_|gl(pat|dt|rt|ptt)-|xox[abeprs]|xapp-|hooks\.slack\.com/|AIza|PRIVATE KEY|AGE-SECRET-KEY-1|[sr]k_live_|npm_|pypi-AgEI|SG\.|hv[sb]\.|dop_v1_|AccountKey=|sk-(proj|ant)-`

# In a long text one search for each needle is quicker than one pass for all of them.
needle_in(text) if {
	count(text) < 20000
	regex.match(any_needle, text)
}

needle_in(text) if {
	count(text) >= 20000
	some format in formats
	some needle in format.needles
	contains(text, needle)
}

# The names of the formats that are in the text. AWS's documented example keys end with EXAMPLE.
known(text) := {name |
	some name, format in formats
	some needle in format.needles
	contains(text, needle)
	some found in regex.find_n(format.pattern, text, 20)
	not endswith(found, "EXAMPLE")
}

# Any value under such a name is a password.
password_name(name) if regex.match(`(^|[._-]|[a-z0-9])(password|passwd|passphrase)$`, lower(name))

# A value under such a name is one if it looks random.
credential_name(name) if {
	regex.match(`(secret|token|api[._-]?key|access[._-]?key|private[._-]?key|secret[._-]?key|credentials?|pwd)$`, lower(name))
	not regex.match(`(existing|image.?pull|public)`, lower(name))
}

# What stands for a value that is somewhere else, or is no value: $(X), ${X}, {{ x }}, <x>, %x%, a path, a URL without
# a password, a reference to a vault.
stands_for_another(value) if regex.match(`^\s*$|\$\(|\$\{|\{\{|^\$|^<.*>$|^%.*%$|^ENC\[|^(vault|ref\+|op|sops|arn|file|env|secret):|^/|^https?://|^\*+$`, value)

stands_for_another(value) if lower(value) in {"true", "false", "null", "none", "nil", "~", "\"\"", "''"}

# "a password" or "a credential", where the value of this name is one.
by_name(name, value) := "a password" if {
	password_name(name)
	not stands_for_another(value)
}

by_name(name, value) := "what looks like a credential" if {
	credential_name(name)
	not password_name(name)
	not stands_for_another(value)
	regex.match(`^[!-~]{16,128}$`, value)
	regex.match(`[0-9]`, value)
	entropy.bits(value) >= 3.3
}

# A long text of letters of both sorts and digits, too random for a name; digests and public keys are left alone.
random(name, value) if {
	count(value) >= 32
	regex.match(`^[A-Za-z0-9+/_-]{32,128}={0,2}$`, value)
	regex.match(`[0-9]`, value)
	regex.match(`[a-z]`, value)
	regex.match(`[A-Z]`, value)
	not regex.match(`^(sha(1|256|384|512)[-:]|AAAA|LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS)`, value)
	not regex.match(`public|checksum|digest|hash|fingerprint`, lower(name))
	entropy.bits(value) >= 4.3
}

# The user's part of a URL, with a password that is none of the above.
url_password(text) if {
	contains(text, "://")
	contains(text, "@")
	some parts in regex.find_all_string_submatch_n(`[a-z][a-z0-9+.-]*://[^\s:/?#@"']*:([^\s/@"']+)@`, text, 20)
	not stands_for_another(parts[1])
	not regex.match(`^[<\[{*%]|[>\]}*%]$`, parts[1])
}

# Three parts of base64, the first of which is JSON.
web_token(text) if {
	contains(text, "eyJ")
	regex.match(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}`, text)
}

# What any suspicion needs to begin with: a telling word, a password in a URL, a web token, or a digit in a long word.
any_suspicion := `(?i)passw|passphrase|pwd|secret|token|(api|access|private)[._-]?key|credential|://[^/\s]*:[^/\s]*@|eyJ[a-z0-9_-]{10}|[0-9][a-z0-9+/_-]{8}`

suspicious(text) if regex.match(any_suspicion, substring(text, 0, 65536))

# A line "name = value" or "name: value" of a configuration file; comments do not match.
line := `(?m)^[ \t]*(?:export[ \t]+|-[ \t]+)?["']?([A-Za-z0-9_.-]+)["']?[ \t]*[:=][ \t]*["']?([^\s"'#,;]+)`

# What the names and the values of a file give away: {what, name}. At most the first 64 KiB are looked at.
in_lines(text) := {[what, found[1]] |
	some found in regex.find_all_string_submatch_n(line, substring(text, 0, 65536), 2000)
	what := by_name(found[1], found[2])
}
