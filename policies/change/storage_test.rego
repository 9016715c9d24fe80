package gitops.change_test

import data.gitops.change

storing(spec) := thing("v1", "PersistentVolumeClaim", {"spec": spec})

templating(spec) := stateful({"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": spec}]})

of_size(size) := {"resources": {"requests": {"storage": size}}}

test_claim_shrunk_denies if {
	every sizes in [["10Gi", "8Gi"], ["1Ti", "1000Gi"], ["1G", "900M"], ["1Gi", 1000]] {
		count(change.claim_shrunk) == 1 with input as changed(storing(of_size(sizes[0])), storing(of_size(sizes[1])))
	}
	hits := change.claim_shrunk with input as changed(templating(of_size("10Gi")), templating(of_size("8Gi")))
	hits == {{
		"msg": `claim template "data": expected at least 10Gi as before, saw 8Gi`,
		"pointer": "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
	}}
}

test_claim_shrunk_allows if {
	every sizes in [["8Gi", "10Gi"], ["1Gi", "1024Mi"], ["1Gi", "1Gi"]] {
		count(change.claim_shrunk) == 0 with input as changed(storing(of_size(sizes[0])), storing(of_size(sizes[1])))
	}
	count(change.claim_shrunk) == 0 with input as added(storing(of_size("1Gi")))
}

test_storage_class_changed_denies if {
	every classes in [[{"storageClassName": "fast"}, {"storageClassName": "slow"}], [{"storageClassName": "fast"}, {}]] {
		count(change.storage_class_changed) == 1 with input as changed(storing(classes[0]), storing(classes[1]))
		count(change.storage_class_changed) == 1 with input as changed(templating(classes[0]), templating(classes[1]))
	}
	hits := change.storage_class_changed with input as changed(storing({"storageClassName": "fast"}), storing({}))
	messages(hits) == {`claim: expected storage class "fast" as before, saw of the cluster's default`}
}

test_storage_class_changed_allows if {
	every spec in [{"storageClassName": "fast"}, {}] {
		count(change.storage_class_changed) == 0 with input as changed(storing(spec), storing(spec))
	}
}
