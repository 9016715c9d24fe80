# METADATA
# description: Whether an Application deploys to production, and by what that is known.
package gitops.lib.production

import data.gitops.lib.settings

# The places of an Application where production is named, each with the text that names it.
evidence contains {"where": "destination namespace", "text": spec.destination.namespace} if {
	names_production(spec.destination.namespace)
}

evidence contains {"where": "destination cluster", "text": spec.destination.name} if {
	names_production(spec.destination.name)
}

evidence contains {"where": "destination server", "text": spec.destination.server} if {
	names_production(spec.destination.server)
}

evidence contains {"where": "name", "text": metadata.name} if names_production(metadata.name)

evidence contains {"where": sprintf("label %s", [key]), "text": value} if {
	some key, value in metadata.labels
	names_production(value)
}

evidence contains {"where": "value file", "text": file} if {
	some source in sources
	some file in source.helm.valueFiles
	names_production(file)
}

evidence contains {"where": "path", "text": source.path} if {
	some source in sources
	names_production(source.path)
}

spec := input.application.spec

metadata := input.application.metadata

# All spellings, `source`, `sources` and that of a hydrator, as one list.
sources := spec.sources if multiple

sources := [spec.sourceHydrator.drySource] if hydrated

sources := [spec.source] if {
	not multiple
	not hydrated
}

# Argo CD looks at nothing else where there is a hydrator.
hydrated if is_object(spec.sourceHydrator)

# Argo CD looks at `source` where `sources` is empty.
multiple if {
	count(spec.sources) > 0
	not hydrated
}

names_production(text) if {
	some word in settings.production_words
	pattern := sprintf(`(^|[^a-z])%s($|[^a-z])`, [lower(word)])
	rest := regex.replace(lower(text), negated(word), "")
	regex.match(pattern, rest)
}

negated(word) := sprintf(`(^|[^a-z])(%s)[^a-z0-9]*%s($|[^a-z])`, [
	concat("|", settings.production_negations),
	lower(word),
])
