package gitops.objects_test

import data.gitops.objects

bound(kind, role, subjects) := {"object": {
	"apiVersion": "rbac.authorization.k8s.io/v1",
	"kind": kind,
	"metadata": {"name": "b"},
	"roleRef": {"kind": "ClusterRole", "name": role},
	"subjects": subjects,
}}

someone := [{"kind": "ServiceAccount", "name": "runner", "namespace": "grid"}]

test_cluster_admin_binding_denies if {
	every kind in ["RoleBinding", "ClusterRoleBinding"] {
		hits := objects.cluster_admin_binding with input as bound(kind, "cluster-admin", someone)
		{hit.msg | some hit in hits} == {"expected a role of its own, saw cluster-admin for ServiceAccount runner"}
	}
}

test_cluster_admin_binding_allows if {
	count(objects.cluster_admin_binding) == 0 with input as bound("ClusterRoleBinding", "view", someone)
	count(objects.cluster_admin_binding) == 0 with input as {"object": {
		"apiVersion": "example.com/v1",
		"kind": "RoleBinding",
		"roleRef": {"name": "cluster-admin"},
	}}
}

test_anonymous_grant_denies if {
	every subject in [
		{"kind": "User", "name": "system:anonymous"},
		{"kind": "Group", "name": "system:unauthenticated"},
		{"kind": "Group", "name": "system:authenticated"},
		{"kind": "Group", "name": "system:serviceaccounts"},
	] {
		count(objects.anonymous_grant) == 1 with input as bound("ClusterRoleBinding", "view", [subject])
		count(objects.anonymous_grant) == 1 with input as bound("RoleBinding", "edit", [subject])
	}
}

test_anonymous_grant_allows if {
	anyone := [{"kind": "Group", "name": "system:unauthenticated"}]
	count(objects.anonymous_grant) == 0 with input as bound("ClusterRoleBinding", "system:public-info-viewer", anyone)
	count(objects.anonymous_grant) == 0 with input as bound("ClusterRoleBinding", "view", someone)
	own := [{"kind": "Group", "name": "system:serviceaccounts:grid"}]
	count(objects.anonymous_grant) == 0 with input as bound("RoleBinding", "view", own)
}

role(kind, rule) := {"object": {
	"apiVersion": "rbac.authorization.k8s.io/v1",
	"kind": kind,
	"metadata": {"name": "r"},
	"rules": [rule],
}}

test_role_wildcard_denies if {
	every rule in [
		{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
		{"apiGroups": [""], "resources": ["*"], "verbs": ["create"]},
		{"apiGroups": ["*"], "resources": ["widgets"], "verbs": ["*"]},
	] {
		every kind in ["Role", "ClusterRole"] {
			count(objects.role_wildcard) == 1 with input as role(kind, rule)
		}
	}
}

test_role_wildcard_allows if {
	every rule in [
		{"apiGroups": ["grid.example.com"], "resources": ["*"], "verbs": ["*"]},
		{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"]},
		{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
		{"nonResourceURLs": ["*"], "verbs": ["get"]},
	] {
		count(objects.role_wildcard) == 0 with input as role("ClusterRole", rule)
	}
}

test_role_escalates_denies if {
	every rule in [
		{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"], "verbs": ["escalate"]},
		{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["bind"]},
		{"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]},
		{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
		{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["*"]},
	] {
		count(objects.role_escalates) == 1 with input as role("ClusterRole", rule)
	}
}

rbac_group := "rbac.authorization.k8s.io"

test_role_escalates_denies_wildcards if {
	every example in [
		[rbac_group, ["clusterroles", "clusterrolebindings"], ["*"], "bind clusterroles or escalate clusterroles"],
		[rbac_group, ["*"], ["*"], "bind roles or escalate roles"],
		[rbac_group, ["*"], ["get", "escalate"], "escalate roles"],
		["*", ["roles"], ["bind"], "bind roles"],
		["", ["users", "groups"], ["*"], "impersonate groups or impersonate users"],
		["", ["serviceaccounts"], ["*"], "impersonate serviceaccounts"],
	] {
		hits := objects.role_escalates with input as role("ClusterRole", {
			"apiGroups": [example[0]],
			"resources": example[1],
			"verbs": example[2],
		})
		{hit.msg | some hit in hits} == {sprintf("expected no right to %s, saw it", [example[3]])}
	}
}

# They are not Kubernetes' own, or cannot give more than they have.
test_role_escalates_allows_wildcards_elsewhere if {
	every rule in [
		{"apiGroups": ["keycloak.example.com"], "resources": ["users", "groups", "roles"], "verbs": ["*"]},
		{"apiGroups": ["keycloak.example.com"], "resources": ["*"], "verbs": ["*"]},
		{"apiGroups": [rbac_group], "resources": ["*"], "verbs": ["get", "list", "watch"]},
		{"apiGroups": [rbac_group], "resources": ["rolebindings"], "verbs": ["*"]},
		{"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["*"]},
		{"nonResourceURLs": ["*"], "verbs": ["*"]},
	] {
		count(objects.role_escalates) == 0 with input as role("ClusterRole", rule)
	}
}

test_role_escalates_allows if {
	count(objects.role_escalates) == 0 with input as role("ClusterRole", {
		"apiGroups": ["rbac.authorization.k8s.io"],
		"resources": ["clusterroles"],
		"verbs": ["bind"],
		"resourceNames": ["view"],
	})
	count(objects.role_escalates) == 0 with input as role("ClusterRole", {
		"apiGroups": ["rbac.authorization.k8s.io"],
		"resources": ["roles"],
		"verbs": ["get", "create"],
	})
	count(objects.role_escalates) == 0 with input as role("Role", {
		"apiGroups": [""],
		"resources": ["pods/exec"],
		"verbs": ["create"],
	})
}

test_role_reads_secrets_denies if {
	every rule in [
		{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]},
		{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]},
		{"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"]},
	] {
		count(objects.role_reads_secrets) == 1 with input as role("ClusterRole", rule)
	}
}

test_role_reads_secrets_allows if {
	count(objects.role_reads_secrets) == 0 with input as role("Role", {
		"apiGroups": [""],
		"resources": ["secrets"],
		"verbs": ["get"],
	})
	every rule in [
		{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["web"]},
		{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
		{"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]},
	] {
		count(objects.role_reads_secrets) == 0 with input as role("ClusterRole", rule)
	}
}
