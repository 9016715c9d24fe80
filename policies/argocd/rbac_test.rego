package gitops.argocd_test

import data.gitops.argocd

config_map(name, values) := {
	"apiVersion": "v1",
	"kind": "ConfigMap",
	"metadata": {"name": name, "namespace": "argocd"},
	"data": values,
}

rbac_with(values) := declared(config_map("argocd-rbac-cm", values))

said(lines) := rbac_with({"policy.csv": concat("\n", lines)})

test_rbac_line_invalid_denies if {
	every line in ["p, role:a, applications, get, */*", "g, team", "p role:a applications get */* allow", "x, a, b"] {
		count(argocd.rbac_line_invalid) == 1 with input as said(["# a comment", "", line])
	}
	hits := argocd.rbac_line_invalid with input as said(["# a comment", "g, team"])
	hits == {{
		"msg": "ConfigMap argocd/argocd-rbac-cm: policy.csv, line 2: expected a p line of 6 parts or a g line of 3, saw 2 parts that begin with \"g\"",
		"resource": "ConfigMap argocd/argocd-rbac-cm",
		"file": "argocd.yaml",
		"line": 7,
	}}
}

test_rbac_line_invalid_allows if {
	lines := ["  # a comment", "", "p, role:a, applications, get, */*, allow", "g, team, role:a", `g, "a team, with a comma", role:a`]
	count(argocd.rbac_line_invalid) == 0 with input as said(lines)
	count(argocd.rbac_line_invalid) == 0 with input as rbac_with({"scopes": "[groups, email]"})
}

test_rbac_role_unknown_denies if {
	hits := argocd.rbac_role_unknown with input as said(["p, role:reader, applications, get, */*, allow", "g, team, role:raeder"])
	{hit.msg | some hit in hits} == {concat("", [
		"ConfigMap argocd/argocd-rbac-cm: policy.csv, line 2: expected a role that has rights, ",
		`saw "role:raeder"`,
	])}
}

test_rbac_role_unknown_allows if {
	count(argocd.rbac_role_unknown) == 0 with input as said([
		"p, role:reader, applications, get, */*, allow",
		"g, team, role:reader",
		"g, ops, role:admin",
		"g, guests, role:readonly",
		"g, role:lead, role:reader",
		"g, leads, role:lead",
	])
	count(argocd.rbac_role_unknown) == 0 with input as rbac_with({
		"policy.csv": "g, team, role:reader",
		"policy.team.csv": "p, role:reader, applications, get, */*, allow",
	})
}

test_rbac_role_unused_denies if {
	hits := argocd.rbac_role_unused with input as said(["p, role:reader, applications, get, */*, allow"])
	{hit.msg | some hit in hits} == {
		"ConfigMap argocd/argocd-rbac-cm: expected somebody to have role:reader, saw no g line for it",
	}
}

test_rbac_role_unused_allows if {
	line := "p, role:reader, applications, get, */*, allow"
	count(argocd.rbac_role_unused) == 0 with input as said([line, "g, team, role:reader"])
	count(argocd.rbac_role_unused) == 0 with input as said(["p, ci, applications, sync, */*, allow"])
	count(argocd.rbac_role_unused) == 0 with input as rbac_with({"policy.csv": line, "policy.default": "role:reader"})
}

never := {
	"p, role:a, application, get, */*, allow": `the resource "application"`,
	"p, role:a, applications, deploy, */*, allow": `the action "deploy" of "applications"`,
	"p, role:a, applications, action, */*, allow": `the action "action" of "applications"`,
	"p, role:a, logs, create, */*, allow": `the action "create" of "logs"`,
	"p, role:a, applications, get, oracle, allow": `the object "oracle" of "applications"`,
	"p, team-*, applications, get, */*, allow": `the subject "team-*"`,
	"p, role:a, applications, get, */*, permit": `the effect "permit"`,
}

test_rbac_never_matches_denies if {
	every line, why in never {
		hits := argocd.rbac_never_matches with input as said([line])
		{hit.msg | some hit in hits} == {sprintf(
			"ConfigMap argocd/argocd-rbac-cm: policy.csv, line 1: expected what Argo CD may ask, saw %s",
			[why],
		)}
	}
}

test_rbac_never_matches_allows if {
	count(argocd.rbac_never_matches) == 0 with input as said([
		"p, role:a, applications, *, */*, allow",
		"p, role:a, applications, get, *, allow",
		"p, role:a, applications, action/*, grid/*, allow",
		"p, role:a, applications, action//Pod/x, grid/oracle, deny",
		"p, role:a, applications, delete/*/Pod/*/*, grid/oracle, allow",
		"p, role:a, *, get, *, allow",
		"p, role:a, {applications,logs}, get, */*, allow",
		"p, role:a, clusters, get, https://kubernetes.default.svc, allow",
		"p, role:a, projects, get, grid, allow",
		"p, role:a, exec, create, grid/*, allow",
		"p, role:a, extensions, invoke, httpbin, allow",
	])
	every line, _ in never {
		count(argocd.rbac_never_matches) == 0 with input as rbac_with({"policy.csv": line, "policy.matchMode": "regex"})
	}
}

test_rbac_wildcard_denies if {
	every line in ["p, team, *, *, */*, allow", "p, role:a, *, *, *, allow", "p, role:a, exec, create, */*, allow"] {
		count(argocd.rbac_wildcard) == 1 with input as said([line])
	}
}

test_rbac_wildcard_allows if {
	every line in [
		"p, role:a, applications, *, */*, allow",
		"p, role:a, *, get, *, allow",
		"p, role:a, *, *, *, deny",
		"p, role:a, exec, create, grid/*, allow",
	] {
		count(argocd.rbac_wildcard) == 0 with input as said([line])
	}
}

test_rbac_default_wide_denies if {
	every example in [
		["role:admin", "", "role:admin with every right"],
		["role:a", "p, role:a, applications, sync, */*, allow", "role:a with applications sync"],
		["role:a", "g, role:a, role:admin", "role:a with every right"],
		["role:b", "g, role:b, role:a\np, role:a, exec, create, */*, allow", "role:b with exec create"],
	] {
		hits := argocd.rbac_default_wide with input as rbac_with({"policy.default": example[0], "policy.csv": example[1]})
		{hit.msg | some hit in hits} == {sprintf(
			"ConfigMap argocd/argocd-rbac-cm: policy.default: expected a role that only reads, saw %s",
			[example[2]],
		)}
	}
}

test_rbac_default_wide_allows if {
	every example in [
		["", "p, role:a, applications, sync, */*, allow"],
		["role:readonly", "p, role:a, applications, sync, */*, allow"],
		["role:a", "p, role:a, applications, get, */*, allow\np, role:a, applications, sync, */*, deny"],
		["role:a", "g, role:a, role:readonly"],
	] {
		count(argocd.rbac_default_wide) == 0 with input as rbac_with({"policy.default": example[0], "policy.csv": example[1]})
	}
}

test_argocd_anonymous_denies if {
	count(argocd.argocd_anonymous) == 1 with input as declared(config_map("argocd-cm", {"users.anonymous.enabled": "true"}))
}

test_argocd_anonymous_allows if {
	every values in [{}, {"users.anonymous.enabled": "false"}] {
		count(argocd.argocd_anonymous) == 0 with input as declared(config_map("argocd-cm", values))
	}
}
