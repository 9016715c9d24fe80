package gitops.change_test

import data.gitops.change

deployed(spec) := thing("apps/v1", "Deployment", {"spec": spec})

running(spec) := deployed({"template": {"spec": spec}})

contained(container) := running({"containers": [object.union({"name": "a"}, container)]})

imaged(image) := contained({"image": image})

test_replicas_to_zero_denies if {
	hits := change.replicas_to_zero with input as changed(deployed({"replicas": 3}), deployed({"replicas": 0}))
	messages(hits) == {"expected replicas as before (3), saw 0"}
	count(change.replicas_to_zero) == 1 with input as changed(deployed({}), deployed({"replicas": 0}))
	count(change.replicas_to_zero) == 1 with input as changed(stateful({"replicas": 1}), stateful({"replicas": 0}))
}

test_replicas_to_zero_allows if {
	count(change.replicas_to_zero) == 0 with input as changed(deployed({"replicas": 0}), deployed({"replicas": 0}))
	count(change.replicas_to_zero) == 0 with input as changed(deployed({"replicas": 3}), deployed({"replicas": 1}))
	count(change.replicas_to_zero) == 0 with input as changed(deployed({"replicas": 3}), deployed({}))
	count(change.replicas_to_zero) == 0 with input as added(deployed({"replicas": 0}))
}

test_image_downgraded_denies if {
	every tags in [["1.10.0", "1.9.3"], ["v2.0.0", "v1.9"], ["2.1.0-alpine", "2.0.9-alpine"], ["2025.1", "2024.12"]] {
		old := imaged(sprintf("registry.example:5000/web:%s", [tags[0]]))
		new := imaged(sprintf("registry.example:5000/web:%s@sha256:abc", [tags[1]]))
		hits := change.image_downgraded with input as changed(old, new)
		messages(hits) == {sprintf(`container "a": expected version %s or a later one, saw %s`, tags)}
	}
}

test_image_downgraded_allows if {
	every images in [
		["web:1.9.3", "web:1.10.0"],
		["web:1.9.3", "web:1.9.3-alpine"],
		["web:1.9.3", "other:1.0.0"],
		["web:main", "web:1.0.0"],
		["web:1.9.3", "web:6864734f"],
		["registry.example:5000/web", "registry.example:5000/web"],
	] {
		count(change.image_downgraded) == 0 with input as changed(imaged(images[0]), imaged(images[1]))
	}
}

test_image_major_jump_denies if {
	every tags in [["1.9.3", "2.0.0"], ["13", "16"], ["v1.9", "v3.0-alpine"]] {
		old := imaged(sprintf("web:%s", [tags[0]]))
		new := imaged(sprintf("web:%s", [tags[1]]))
		count(change.image_major_jump) == 1 with input as changed(old, new)
	}
}

test_image_major_jump_allows if {
	every tags in [["1.9.3", "1.10.0"], ["2.0.0", "1.0.0"], ["2024.12", "2025.1"], ["20240513", "20240601"]] {
		old := imaged(sprintf("web:%s", [tags[0]]))
		new := imaged(sprintf("web:%s", [tags[1]]))
		count(change.image_major_jump) == 0 with input as changed(old, new)
	}
}

confined(context) := contained({"securityContext": context})

weakenings := [
	[confined({}), confined({"privileged": true}), "privileged: true"],
	[confined({}), confined({"allowPrivilegeEscalation": true}), "allowPrivilegeEscalation: true"],
	[confined({"allowPrivilegeEscalation": false}), confined({}), "allowPrivilegeEscalation no longer false"],
	[confined({"runAsUser": 1000}), confined({"runAsUser": 0}), "runAsUser: 0"],
	[confined({"runAsNonRoot": true}), confined({}), "runAsNonRoot no longer true"],
	[confined({"readOnlyRootFilesystem": true}), confined({}), "readOnlyRootFilesystem no longer true"],
	[confined({}), confined({"capabilities": {"add": ["NET_ADMIN"]}}), "capability NET_ADMIN added"],
	[confined({"capabilities": {"drop": ["ALL"]}}), confined({}), "capability ALL no longer dropped"],
	[confined({}), confined({"procMount": "Unmasked"}), "procMount Unmasked"],
	[confined({}), confined({"seccompProfile": {"type": "Unconfined"}}), "seccomp Unconfined"],
	[contained({}), contained({"ports": [{"hostPort": 80}]}), "hostPort 80"],
	[running({}), running({"hostNetwork": true}), "hostNetwork: true"],
	[running({}), running({"hostPID": true}), "hostPID: true"],
	[running({}), running({"hostIPC": true}), "hostIPC: true"],
	[running({}), running({"securityContext": {"runAsUser": 0}}), "runAsUser: 0"],
	[running({}), running({"volumes": [{"name": "v", "hostPath": {"path": "/var"}}]}), `hostPath "/var"`],
	[running({"automountServiceAccountToken": false}), running({}), "the token of its ServiceAccount mounted"],
	[
		running({"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "a"}]}),
		running({"containers": [{"name": "a"}]}),
		"runAsNonRoot no longer true",
	],
	[running({"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}), running({}), "seccomp profile gone"],
]

test_security_weakened_denies if {
	every example in weakenings {
		hits := change.security_weakened with input as changed(example[0], example[1])
		count(hits) == 1
		some said in messages(hits)
		endswith(said, sprintf("expected what it had, saw %s", [example[2]]))
	}
}

leveled(labels) := thing("v1", "Namespace", {"metadata": {"labels": labels}})

enforced(level) := {"pod-security.kubernetes.io/enforce": level}

test_security_weakened_denies_a_lower_level if {
	hits := change.security_weakened with input as changed(leveled(enforced("restricted")), leveled(enforced("baseline")))
	messages(hits) == {"expected Pod Security level restricted, saw baseline"}
	count(change.security_weakened) == 1 with input as changed(leveled(enforced("baseline")), leveled({}))
}

test_security_weakened_allows if {
	every example in weakenings {
		count(change.security_weakened) == 0 with input as changed(example[1], example[0])
		count(change.security_weakened) == 0 with input as changed(example[1], example[1])
		count(change.security_weakened) == 0 with input as added(example[1])
	}
	count(change.security_weakened) == 0 with input as changed(leveled({}), leveled(enforced("restricted")))
	count(change.security_weakened) == 0 with input as changed(
		confined({"runAsNonRoot": true}),
		running({"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "a"}]}),
	)
}
