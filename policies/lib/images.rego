# METADATA
# description: The parts of an image's name, and whether one version is later than another.
package gitops.lib.images

# What is in front of tag and digest.
name(image) := regex.replace(split(image, "@")[0], `:[^/:]*$`, "")

default tag(_) := ""

tag(image) := trim_prefix(regex.find_n(`:[^/:]*$`, split(image, "@")[0], 1)[0], ":")

# [major, minor, patch] of a tag that begins with a version; undefined for other tags.
version(text) := [to_number(part) |
	some i in [1, 2, 3]
	part := [said | some said in [parts[i], "0"]; said != ""][0]
] if {
	parts := regex.find_all_string_submatch_n(`^[vV]?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?(?:$|[-+._])`, text, 1)[0]
}
