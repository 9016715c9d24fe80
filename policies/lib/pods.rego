# METADATA
# description: The Pod that a workload makes, and its containers, whatever kind the workload is.
package gitops.lib.pods

templated := {
	"apps": {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
	"extensions": {"Deployment", "DaemonSet", "ReplicaSet"},
	"batch": {"Job"},
	"": {"ReplicationController"},
	"argoproj.io": {"Rollout"},
}

group := split(input.object.apiVersion, "/")[0] if contains(input.object.apiVersion, "/")

group := "" if not contains(input.object.apiVersion, "/")

# Where the Pod's spec is in the workload, as a JSON pointer.
pointer := "/spec" if {
	group == ""
	input.object.kind == "Pod"
}

pointer := "/spec/template/spec" if input.object.kind in templated[group]

pointer := "/spec/jobTemplate/spec/template/spec" if {
	group == "batch"
	input.object.kind == "CronJob"
}

spec := object.get(input.object, split(trim_prefix(pointer, "/"), "/"), {})

# A Pod that is meant to run for good, so that somebody must notice when it no longer does.
lasting if input.object.kind in {
	"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController",
	"Rollout",
}

lasting if {
	input.object.kind == "Pod"
	object.get(spec, "restartPolicy", "Always") == "Always"
}

# A hook runs once, in a sync, and is not a service.
lasting_service if {
	lasting
	not input.object.metadata.annotations["argocd.argoproj.io/hook"]
	not input.object.metadata.annotations["helm.sh/hook"]
}

# Every container, init containers included: {spec, title, pointer, init}. An array, because a set would hash each
# container as a whole.
containers := array.concat(listed("containers", "container", false), listed("initContainers", "init container", true))

listed(field, title, init) := [entry |
	some i, container in spec[field]
	entry := {
		"spec": container,
		"title": sprintf("%s %q", [title, object.get(container, "name", "")]),
		"pointer": sprintf("%s/%s/%d", [pointer, field, i]),
		"init": init,
	}
]
