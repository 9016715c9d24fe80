package gitops.references_test

import data.gitops.references

runner := web({"containers": [], "serviceAccountName": "runner"})

test_service_account_missing_denies if {
	hits := references.service_account_missing with input as world([runner])
	messages(hits) == {`Deployment grid/web: expected ServiceAccount "runner" in namespace "grid", saw none`}
}

test_service_account_missing_allows if {
	account := thing("v1", "ServiceAccount", "runner", {})
	every objects in [
		[[runner], [account]],
		[[runner, operator]],
		[[web({"containers": [], "serviceAccountName": "default"})]],
		[[web({"containers": []})]],
	] {
		count(references.service_account_missing) == 0 with input as worlds(objects)
	}
}

binding(kind, role, subjects) := thing("rbac.authorization.k8s.io/v1", kind, "b", {
	"roleRef": {"kind": role, "name": "reader"},
	"subjects": subjects,
})

test_role_missing_denies if {
	hits := references.role_missing with input as world([binding("RoleBinding", "Role", [])])
	messages(hits) == {`RoleBinding grid/b: expected Role "reader" in namespace "grid", saw none`}
}

test_role_missing_allows if {
	every objects in [
		[binding("RoleBinding", "Role", []), thing("rbac.authorization.k8s.io/v1", "Role", "reader", {})],
		[binding("RoleBinding", "ClusterRole", [])],
		[binding("ClusterRoleBinding", "ClusterRole", [])],
	] {
		count(references.role_missing) == 0 with input as world(objects)
	}
}

test_binding_subject_missing_denies if {
	here := [{"kind": "ServiceAccount", "name": "runner"}]
	there := [{"kind": "ServiceAccount", "name": "runner", "namespace": "grid"}]
	every bound in [binding("RoleBinding", "ClusterRole", here), binding("ClusterRoleBinding", "ClusterRole", there)] {
		count(references.binding_subject_missing) == 1 with input as world([bound, web(plain)])
	}
}

test_binding_subject_missing_allows if {
	every subject in [
		{"kind": "ServiceAccount", "name": "known", "namespace": "grid"},
		{"kind": "ServiceAccount", "name": "default", "namespace": "grid"},
		{"kind": "ServiceAccount", "name": "runner", "namespace": "of-others"},
		{"kind": "Group", "name": "runner"},
	] {
		count(references.binding_subject_missing) == 0 with input as world([
			binding("RoleBinding", "ClusterRole", [subject]),
			thing("v1", "ServiceAccount", "known", {}),
		])
	}
}
