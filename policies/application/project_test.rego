package gitops.application_test

import data.gitops.application

test_project_default_denies_default if {
	every spec in [{"project": "default"}, {}, {"project": ""}] {
		count(application.project_default) == 1 with input as {"application": {"spec": spec}}
	}
}

test_project_default_allows_another if {
	count(application.project_default) == 0 with input as {"application": {"spec": {"project": "grid"}}}
}

at(destination, allowed) := {
	"application": {"spec": {"project": "grid", "destination": destination}},
	"project": {"metadata": {"name": "grid"}, "spec": {"destinations": allowed}},
}

in_cluster := "https://kubernetes.default.svc"

test_destination_not_allowed_denies if {
	here := {"server": in_cluster, "namespace": "news"}
	every allowed in [
		[],
		null,
		[{"server": in_cluster, "namespace": "oracle"}],
		[{"server": "https://other", "namespace": "news"}],
		[{"name": "other", "namespace": "*"}],
		[{"server": "*", "namespace": "*"}, {"server": in_cluster, "namespace": "!news"}],
		[{"server": "*", "namespace": "*"}, {"server": "!https://kubernetes.*", "namespace": "*"}],
		[{"server": in_cluster, "namespace": "!ne*"}],
	] {
		count(application.destination_not_allowed) == 1 with input as at(here, allowed)
	}
}

test_destination_not_allowed_denies_and_says_what_is_permitted if {
	hits := application.destination_not_allowed with input as at(
		{"name": "prod", "namespace": "news"},
		[{"name": "dev", "namespace": "news-*"}],
	)
	{hit.msg | some hit in hits} == {concat("", [
		`destination prod, namespace "news": expected one that AppProject "grid" permits `,
		"(dev news-*)",
	])}
}

test_destination_not_allowed_allows if {
	here := {"server": in_cluster, "namespace": "news"}
	every allowed in [
		[{"server": in_cluster, "namespace": "news"}],
		[{"server": "*", "namespace": "*"}],
		[{"server": "https://*", "namespace": "n?ws"}],
		[{"name": "in-cluster", "namespace": "news"}],
		[{"server": in_cluster, "namespace": "!oracle"}],
		[{"server": "*", "namespace": "*"}, {"server": in_cluster, "namespace": "!kube-system"}],
	] {
		count(application.destination_not_allowed) == 0 with input as at(here, allowed)
	}
}

test_destination_not_allowed_allows_what_files_cannot_tell if {
	# Argo CD knows the URL of the cluster "prod"; files do not.
	every allowed in [[{"server": "https://p", "namespace": "*"}], [{"name": "prod", "namespace": "*"}]] {
		count(application.destination_not_allowed) == 0 with input as at({"name": "prod", "namespace": "a"}, allowed)
	}
	count(application.destination_not_allowed) == 0 with input as at(
		{"server": "https://p", "namespace": "a"},
		[{"name": "prod", "namespace": "a"}],
	)
}

test_destination_not_allowed_allows_without_project if {
	count(application.destination_not_allowed) == 0 with input as {
		"application": {"spec": {"project": "grid", "destination": {}}},
		"project": null,
	}
}

from(url, repositories) := {
	"application": {"spec": {"project": "grid", "source": {"repoURL": url}}},
	"project": {"metadata": {"name": "grid"}, "spec": {"sourceRepos": repositories}},
}

test_source_not_allowed_denies if {
	every repositories in [
		[],
		null,
		["https://git.example/other"],
		["https://git.example/*"],
		["*", "!https://git.example/team/*"],
	] {
		count(application.source_not_allowed) == 1 with input as from("https://git.example/team/grid.git", repositories)
	}
}

test_source_not_allowed_denies_the_one_of_many if {
	hits := application.source_not_allowed with input as {
		"application": {"spec": {"sources": [{"repoURL": "https://a"}, {"repoURL": "https://b"}]}},
		"project": {"metadata": {"name": "grid"}, "spec": {"sourceRepos": ["https://a"]}},
	}
	{hit.msg | some hit in hits} == {`source https://b: expected one that AppProject "grid" permits (https://a)`}
}

test_source_not_allowed_denies_what_is_hydrated_and_where_that_is_written if {
	hydrator := {
		"drySource": {"repoURL": "https://dry"},
		"syncSource": {"repoURL": "https://sync"},
	}
	hits := application.source_not_allowed with input as {
		"application": {"spec": {"source": {"repoURL": "https://unread"}, "sourceHydrator": hydrator}},
		"project": {"metadata": {"name": "grid"}, "spec": {"sourceRepos": ["https://a"]}},
	}
	{[hit.msg, hit.pointer] | some hit in hits} == {
		[`source https://dry: expected one that AppProject "grid" permits (https://a)`, "/spec/sourceHydrator"],
		[`source https://sync: expected one that AppProject "grid" permits (https://a)`, "/spec/sourceHydrator"],
	}
}

test_source_not_allowed_allows_a_hydrator_within_one_repository if {
	count(application.source_not_allowed) == 0 with input as {
		"application": {"spec": {"sourceHydrator": {
			"drySource": {"repoURL": "https://a"},
			"syncSource": {"targetBranch": "dev"},
		}}},
		"project": {"metadata": {"name": "grid"}, "spec": {"sourceRepos": ["https://a"]}},
	}
}

test_source_not_allowed_allows if {
	every repositories in [
		["*"],
		["https://git.example/team/grid"],
		["https://GIT.example/team/Grid.git"],
		["https://git.example/**"],
		["https://git.example/team/*"],
		["*", "!https://git.example/secret/*"],
	] {
		count(application.source_not_allowed) == 0 with input as from("https://git.example/team/grid.git", repositories)
	}
}

test_source_not_allowed_allows_each_spelling_of_ssh if {
	every url in ["git@git.example:team/grid.git", "ssh://git@git.example/team/grid"] {
		every pattern in ["git@git.example:team/grid", "ssh://git@git.example/team/grid.git", "git@git.example:team/*"] {
			count(application.source_not_allowed) == 0 with input as from(url, [pattern])
		}
	}
}

living_in(namespace, allowed) := {
	"application": {"metadata": {"name": "news", "namespace": namespace}, "spec": {"project": "grid"}},
	"project": {"metadata": {"name": "grid", "namespace": "argocd"}, "spec": {"sourceNamespaces": allowed}},
}

# The sourceNamespaces of a project, and whether an Application in the namespace team-news may use it.
# tests/engine/test_projects.py asks Argo CD itself about each line.
source_namespaces := [
	[null, false],
	[[], false],
	[["other"], false],
	[["team"], false],
	[["team-?"], false],
	[["/^other-/"], false],
	[["/"], false],
	[["//"], false],
	[["/team-news"], false],
	[["team-news"], true],
	[["team-*"], true],
	[["*"], true],
	[["other", "/^team-(news|ops)$/"], true],
	[["/news/"], true],
	[["/^(?!ops)/"], true],
]

test_source_namespace_not_allowed_denies if {
	every line in source_namespaces {
		[allowed, permitted] := line
		hits := application.source_namespace_not_allowed with input as living_in("team-news", allowed)
		count(hits) == {true: 0, false: 1}[permitted]
	}
}

test_source_namespace_not_allowed_denies_and_says_what_is_allowed if {
	hits := application.source_namespace_not_allowed with input as living_in("team-news", ["ops-*", "dev"])
	hits == {{
		"msg": concat("", [
			`namespace team-news: expected one whose Applications may use AppProject "grid" `,
			"(sourceNamespaces: ops-*, dev)",
		]),
		"pointer": "/metadata/namespace",
	}}
}

test_source_namespace_not_allowed_allows_argocds_own if {
	every namespace in ["argocd", ""] {
		count(application.source_namespace_not_allowed) == 0 with input as living_in(namespace, [])
	}
}

test_source_namespace_not_allowed_allows_what_files_cannot_tell if {
	count(application.source_namespace_not_allowed) == 0 with input as {
		"application": {"metadata": {"name": "news", "namespace": "team"}},
		"project": {"metadata": {"name": "grid"}, "spec": {}},
	}
	count(application.source_namespace_not_allowed) == 0 with input as {
		"application": {"metadata": {"name": "news", "namespace": "team"}},
		"project": null,
	}
}
