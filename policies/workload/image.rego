package gitops.workload

import data.gitops.lib.pods
import data.gitops.lib.settings

# METADATA
# title: Image tag can move
# description: |
#   An image without tag, with `latest` or with a tag that is no version may be another image tomorrow: nodes differ,
#   and going back to an earlier commit does not bring the earlier image.
# scope: document
# custom:
#   rule: image-tag-mutable
#   subject: object
#   severity: warning
#   help: Name a version tag, better still a digest (image@sha256:…).
image_tag_mutable contains hit if {
	some container in pods.containers
	image := container.spec.image
	image != ""
	not contains(image, "@")
	not fixed(tag(image))
	hit := {
		"msg": sprintf("%s: expected an image with a version or a digest, saw %q", [container.title, image]),
		"pointer": sprintf("%s/image", [container.pointer]),
	}
}

# The part behind the last colon, unless that colon is a registry's port.
default tag(_) := ""

tag(image) := found if {
	last := regex.find_n(`[^/]+$`, image, 1)[0]
	parts := split(last, ":")
	count(parts) == 2
	found := parts[1]
}

# Words that start the name of something that goes on moving, and words that say so wherever they stand.
branches := {
	"main", "master", "trunk", "head", "dev", "develop", "development", "test", "testing", "qa", "staging",
	"stage", "prod", "production", "stable", "unstable", "current", "mainline", "lts", "canary", "edge", "beta",
	"alpha",
}

rolling := {"latest", "nightly", "snapshot", "rolling"}

words(name) := regex.split(`[-_.]`, lower(name))

moves(name) if words(name)[0] in branches

moves(name) if {
	some word in words(name)
	word in rolling
}

# A version somewhere in it: 7, v2.0.0, 3.12-alpine, bookworm-20240513, RELEASE.2024-01-16T16-07-38Z.
fixed(name) if {
	regex.match(`[0-9]`, name)
	not moves(name)
}

# A commit or a date at its end, whatever is in front: main-6864734f.
fixed(name) if regex.match(`(^|[-_.])([0-9a-f]{7,64}|[0-9]{8,14})$`, name)

fixed(name) if {
	some pattern in settings.pinned_tags
	regex.match(sprintf("^(%s)$", [pattern]), name)
}
