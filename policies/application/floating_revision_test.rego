package gitops.application_test

import data.gitops.application

prod(revision) := {"application": {
	"metadata": {"name": "oracle"},
	"spec": {
		"source": {"repoURL": "https://git.example/grid.git", "targetRevision": revision},
		"destination": {"namespace": "grid-prod"},
	},
}}

test_floating_revision_denies_what_moves if {
	every revision in ["HEAD", "main", "release", "*", "1.*", "1.2.x", ">=1.2", "^1.2.0", "~1.2.3", "1.2.0 - 1.4.0", ""] {
		count(application.floating_revision) == 1 with input as prod(revision)
	}
}

test_floating_revision_allows_what_is_hydrated if {
	count(application.floating_revision) == 0 with input as {"application": {
		"metadata": {"name": "oracle-prod"},
		"spec": {"sourceHydrator": {
			"drySource": {"repoURL": "https://git.example/grid.git", "path": "prod", "targetRevision": "HEAD"},
			"syncSource": {"targetBranch": "environments/prod", "path": "oracle"},
		}},
	}}
}

test_floating_revision_denies_with_one_message_for_many_signs if {
	app := {"application": {
		"metadata": {"name": "oracle-prod", "labels": {"env": "production"}},
		"spec": {
			"source": {
				"repoURL": "https://git.example/grid.git",
				"path": "overlays/prod",
				"targetRevision": "HEAD",
				"helm": {"valueFiles": ["values.yaml", "values-prod.yaml"]},
			},
			"destination": {"name": "prod", "namespace": "grid-prod"},
		},
	}}
	hits := application.floating_revision with input as app
	{hit.msg | some hit in hits} == {concat("", [
		"source https://git.example/grid.git: expected a fixed revision in production ",
		`(destination namespace "grid-prod"), saw "HEAD"`,
	])}
}

test_floating_revision_denies_each_sign_of_production if {
	source := {"repoURL": "r"}
	every app in [
		{"metadata": {"name": "a"}, "spec": {"source": source, "destination": {"server": "https://prod.example"}}},
		{"metadata": {"name": "a"}, "spec": {"source": source, "destination": {"name": "eu-prod-1"}}},
		{"metadata": {"name": "a-production"}, "spec": {"source": source}},
		{"metadata": {"name": "a", "labels": {"tier": "prd"}}, "spec": {"source": source}},
		{"metadata": {"name": "a"}, "spec": {"source": object.union(source, {"path": "envs/prod"})}},
		{"metadata": {"name": "a"}, "spec": {"source": object.union(source, {"helm": {"valueFiles": ["prod.yaml"]}})}},
	] {
		count(application.floating_revision) == 1 with input as {"application": app}
	}
}

test_floating_revision_denies_each_of_many_sources if {
	app := {"application": {"metadata": {"name": "prod"}, "spec": {"sources": [
		{"repoURL": "a", "targetRevision": "1.2.3"},
		{"repoURL": "b", "targetRevision": "main"},
		{"repoURL": "c"},
	]}}}
	hits := application.floating_revision with input as app
	{hit.pointer | some hit in hits} == {"/spec/sources/1/targetRevision", "/spec/sources/2/targetRevision"}
}

test_floating_revision_denies_source_beside_empty_sources if {
	app := json.patch(prod("HEAD"), [{"op": "add", "path": "/application/spec/sources", "value": []}])
	hits := application.floating_revision with input as app
	{hit.pointer | some hit in hits} == {"/spec/source/targetRevision"}
}

test_floating_revision_allows_what_stays if {
	every revision in [
		"v1.2.3", "1.2.3", "1.2", "v1", "7", "oracle-1.2.3", "charts/oracle/v1.2.3-rc.1", "1.2.3+build.5",
		"refs/tags/stable", "6864734", "6864734fa0c1d2e3b4a5968778695a4b3c2d1e0f",
	] {
		count(application.floating_revision) == 0 with input as prod(revision)
	}
}

test_floating_revision_allows_head_outside_production if {
	every name in ["grid-dev", "products", "non-prod", "nonprod", "preprod", "pre-production", "reproduce"] {
		count(application.floating_revision) == 0 with input as {"application": {
			"metadata": {"name": "oracle"},
			"spec": {"source": {"repoURL": "r", "targetRevision": "HEAD"}, "destination": {"namespace": name}},
		}}
	}
}

test_floating_revision_allows_what_settings_pin if {
	settings := {"revisions": {"pinned": [`stable-[a-z]+`]}}
	count(application.floating_revision) == 0 with input as prod("stable-red") with data.settings as settings
	count(application.floating_revision) == 1 with input as prod("stable-") with data.settings as settings
}

test_floating_revision_denies_production_by_settings if {
	app := {"application": {
		"metadata": {"name": "a"},
		"spec": {"source": {"repoURL": "r"}, "destination": {"namespace": "customers"}},
	}}
	count(application.floating_revision) == 0 with input as app
	count(application.floating_revision) == 1 with input as app
		with data.settings as {"production": {"words": ["customers"]}}
}
