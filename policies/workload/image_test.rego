package gitops.workload_test

import data.gitops.workload

with_image(image) := pod({"name": "web", "image": image})

pod(container) := {"object": {
	"apiVersion": "v1",
	"kind": "Pod",
	"metadata": {"name": "p"},
	"spec": {"containers": [container]},
}}

templated(api_version, kind, spec) := {"object": {
	"apiVersion": api_version,
	"kind": kind,
	"metadata": {"name": "w"},
	"spec": {"template": {"spec": spec}},
}}

cronjob(spec) := {"object": {
	"apiVersion": "batch/v1",
	"kind": "CronJob",
	"metadata": {"name": "w"},
	"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}},
}}

# One of every kind that makes Pods.
every_kind(spec) := [
	{"object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "w"}, "spec": spec}},
	templated("apps/v1", "Deployment", spec),
	templated("apps/v1", "StatefulSet", spec),
	templated("apps/v1", "DaemonSet", spec),
	templated("apps/v1", "ReplicaSet", spec),
	templated("batch/v1", "Job", spec),
	templated("argoproj.io/v1alpha1", "Rollout", spec),
	cronjob(spec),
]

test_image_tag_mutable_denies_what_moves if {
	every image in [
		"nginx", "nginx:latest", "registry.example:5000/nginx", "nginx:stable", "nginx:main", "nginx:1.0-SNAPSHOT",
		"nginx:stable-alpine3.18", "nginx:bookworm", "nginx:dev-2",
	] {
		count(workload.image_tag_mutable) == 1 with input as with_image(image)
	}
}

test_image_tag_mutable_denies_in_every_kind_and_init_container if {
	spec := {"containers": [{"name": "a", "image": "a:latest"}], "initContainers": [{"name": "b", "image": "b"}]}
	every subject in every_kind(spec) {
		count(workload.image_tag_mutable) == 2 with input as subject
	}
}

test_image_tag_mutable_denies_with_the_place if {
	hits := workload.image_tag_mutable with input as templated("apps/v1", "Deployment", {"containers": [
		{"name": "a", "image": "a:1.0"},
		{"name": "b", "image": "b:latest"},
	]})
	hits == {{
		"msg": `container "b": expected an image with a version or a digest, saw "b:latest"`,
		"pointer": "/spec/template/spec/containers/1/image",
	}}
}

test_image_tag_mutable_allows_what_stays if {
	every image in [
		"nginx:1.25", "nginx:1.25.3-alpine", "registry.example:5000/nginx:v2", "nginx:latest@sha256:abc",
		"minio:RELEASE.2024-01-16T16-07-38Z", "app:6864734f", "app:main-6864734f", "app:bookworm-20240513",
		"app:dev-20240513120000",
	] {
		count(workload.image_tag_mutable) == 0 with input as with_image(image)
	}
}

test_image_tag_mutable_allows_what_settings_pin if {
	count(workload.image_tag_mutable) == 0 with input as with_image("nginx:golden")
		with data.settings as {"images": {"pinned": ["golden"]}}
}

test_image_tag_mutable_allows_other_kinds if {
	every subject in [
		{"object": {"apiVersion": "v1", "kind": "ConfigMap", "spec": {"containers": [{"image": "a"}]}}},
		templated("example.com/v1", "Deployment", {"containers": [{"image": "a"}]}),
	] {
		count(workload.image_tag_mutable) == 0 with input as subject
	}
}
