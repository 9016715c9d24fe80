# METADATA
# description: Argo CD's patterns in AppProjects; "!" in front of one turns it into a refusal.
package gitops.lib.globs

refuses(pattern) if startswith(pattern, "!")

# A refusal matches whatever it does not name, as in Argo CD.
matches(pattern, text, separators) if {
	not refuses(pattern)
	glob.match(pattern, separators, text)
}

matches(pattern, text, separators) if {
	refuses(pattern)
	not glob.match(substring(pattern, 1, -1), separators, text)
}
