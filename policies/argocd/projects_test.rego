package gitops.argocd_test

import data.gitops.argocd

declared(manifest) := {"all": {"applications": [], "projects": [], "secrets": [], "declared": [{
	"manifest": manifest,
	"file": "argocd.yaml",
	"line": 7,
}]}}

# The same, as part of what an Application renders to.
rendered(manifest) := {"all": {"projects": [], "secrets": [], "applications": [{
	"key": "argocd/root",
	"manifest": {"metadata": {"name": "root"}, "spec": {"destination": {"namespace": "argocd"}}},
	"objects": [manifest],
}]}}

project(spec) := {
	"apiVersion": "argoproj.io/v1alpha1",
	"kind": "AppProject",
	"metadata": {"name": "grid", "namespace": "argocd"},
	"spec": spec,
}

here := "https://kubernetes.default.svc"

test_project_any_source_denies if {
	every pattern in ["*", "**"] {
		hits := argocd.project_any_source with input as declared(project({"sourceRepos": [pattern]}))
		hits == {{
			"msg": sprintf("AppProject argocd/grid: expected sourceRepos to name repositories, saw %q", [pattern]),
			"resource": "AppProject argocd/grid",
			"file": "argocd.yaml",
			"line": 7,
		}}
	}
}

test_project_any_source_denies_what_is_rendered_or_known if {
	wide := project({"sourceRepos": ["*"]})
	hits := argocd.project_any_source with input as rendered(wide)
	hits == {{
		"msg": "AppProject argocd/grid: expected sourceRepos to name repositories, saw \"*\"",
		"resource": "AppProject argocd/grid",
		"application": "argocd/root",
		"pointer": "/all/applications/0/objects/0/spec/sourceRepos/0",
	}}
	both := {"all": {
		"applications": rendered(wide).all.applications,
		"projects": [wide],
		"secrets": [],
		"declared": declared(wide).all.declared,
	}}
	count(argocd.project_any_source) == 1 with input as both
	count(argocd.project_any_source) == 1 with input as {"all": {"applications": [], "projects": [wide]}}
}

test_project_any_source_allows if {
	every repositories in [[], ["https://git.example/grid.git"], ["https://git.example/*"]] {
		count(argocd.project_any_source) == 0 with input as declared(project({"sourceRepos": repositories}))
	}
}

test_project_any_destination_denies if {
	every cluster in [{"server": "*"}, {"name": "*"}] {
		destination := object.union(cluster, {"namespace": "*"})
		count(argocd.project_any_destination) == 1 with input as declared(project({"destinations": [destination]}))
	}
}

test_project_any_destination_allows if {
	every destination in [{"server": here, "namespace": "*"}, {"server": "*", "namespace": "grid"}] {
		count(argocd.project_any_destination) == 0 with input as declared(project({"destinations": [destination]}))
	}
}

test_project_reaches_argocd_denies if {
	every destinations in [
		[{"server": here, "namespace": "*"}],
		[{"name": "in-cluster", "namespace": "a*"}],
		[{"server": "https://*", "namespace": "*"}],
	] {
		count(argocd.project_reaches_argocd) == 1 with input as declared(project({"destinations": destinations}))
	}
}

test_project_reaches_argocd_allows if {
	every destinations in [
		[{"server": here, "namespace": "argocd"}],
		[{"server": here, "namespace": "grid-*"}],
		[{"server": "https://other", "namespace": "*"}],
		[{"server": here, "namespace": "*"}, {"server": here, "namespace": "!argocd"}],
		[{"server": "*", "namespace": "*"}],
	] {
		count(argocd.project_reaches_argocd) == 0 with input as declared(project({"destinations": destinations}))
	}
}

test_project_any_cluster_resource_denies if {
	every item in [{"group": "*", "kind": "*"}] {
		count(argocd.project_any_cluster_resource) == 1 with input as declared(project({"clusterResourceWhitelist": [item]}))
	}
}

test_project_any_cluster_resource_allows if {
	every item in [{"group": "", "kind": "Namespace"}, {"group": "grid.example", "kind": "*"}] {
		count(argocd.project_any_cluster_resource) == 0 with input as declared(project({"clusterResourceWhitelist": [item]}))
	}
}

with_role(policy) := project({"roles": [{"name": "ci", "policies": [policy]}]})

test_project_policy_invalid_denies if {
	every example in [
		["p, proj:grid:ci, applications, sync, grid/*", `six parts that begin with p, saw "p, proj:grid:ci, applications, sync, grid/*"`],
		["g, proj:grid:ci, applications, sync, grid/*, allow", `six parts that begin with p, saw "g, proj:grid:ci, applications, sync, grid/*, allow"`],
		["p, proj:grid:cd, applications, sync, grid/*, allow", `the subject proj:grid:ci, saw "proj:grid:cd"`],
		["p, proj:grid:ci, projects, get, grid/*, allow", `a resource of projects, saw "projects"`],
		["p, proj:grid:ci, applications, deploy, grid/*, allow", `an action of Argo CD, saw "deploy"`],
		["p, proj:grid:ci, applications, sync, */*, allow", `an object that begins with grid/, saw "*/*"`],
		["p, proj:grid:ci, applications, sync, grid/*, yes", `allow or deny, saw "yes"`],
	] {
		hits := argocd.project_policy_invalid with input as declared(with_role(example[0]))
		{hit.msg | some hit in hits} == {sprintf(`AppProject argocd/grid: role "ci": expected %s`, [example[1]])}
	}
}

test_project_policy_invalid_allows if {
	every policy in [
		"p, proj:grid:ci, applications, sync, grid/*, allow",
		"p,proj:grid:ci,applications,*,grid/oracle,deny",
		"p, proj:grid:ci, applications, action/apps/Deployment/restart, grid/*, allow",
		"p, proj:grid:ci, logs, get, grid/team/oracle, allow",
	] {
		count(argocd.project_policy_invalid) == 0 with input as declared(with_role(policy))
	}
}
