# METADATA
# description: What a repository may set under `data.settings`, with the values used when it says nothing.
package gitops.lib.settings

# What marks production. Every word is looked for as a word of its own: "eu-prod" is production, "product" is not.
default production_words := ["prod", "production", "prd"]

production_words := data.settings.production.words

# A name with one of these before the word is not production: "non-prod", "preprod".
default production_negations := ["non", "not", "no", "pre"]

production_negations := data.settings.production.negations

# Revisions that cannot move, beside commits and versions: regular expressions for the whole revision.
default pinned_revisions := []

pinned_revisions := data.settings.revisions.pinned

# Image tags that are as good as a version: regular expressions for the whole tag.
default pinned_tags := []

pinned_tags := data.settings.images.pinned

# Kinds without a namespace, beside Kubernetes' own.
default cluster_kinds := []

cluster_kinds := data.settings.cluster_kinds
