package gitops.workload

import data.gitops.lib.pods

# METADATA
# title: Variable set twice
# description: |
#   A container has two environment variables of one name: only the last one counts, whatever the first one says.
# scope: document
# custom:
#   rule: env-duplicate
#   subject: object
#   severity: warning
#   help: Remove one of the two.
env_duplicate contains hit if {
	some container in pods.containers
	names := [variable.name | some variable in container.spec.env]
	count(names) != count({name | some name in names})
	some i, name in names
	name in array.slice(names, 0, i)
	hit := {
		"msg": sprintf("%s: expected one variable %q, saw another one", [container.title, name]),
		"pointer": sprintf("%s/env/%d", [container.pointer, i]),
	}
}

# METADATA
# title: Probe of a port that the container does not have
# description: |
#   A probe or a lifecycle hook names a port by a name that no port of its container has: the probe fails always, so that
#   the Pod is never ready or is killed again and again. Ports by number need no declaration.
# scope: document
# custom:
#   rule: probe-port-unknown
#   subject: object
#   severity: error
#   help: Correct the name, or name the container's port.
probe_port_unknown contains hit if {
	some container in pods.containers
	some probe in ["readinessProbe", "livenessProbe", "startupProbe"]
	some action in ["httpGet", "tcpSocket"]
	port := container.spec[probe][action].port
	is_string(port)
	not regex.match(`^[0-9]+$`, port)
	not port in {open.name | some open in container.spec.ports}
	hit := {
		"msg": sprintf("%s: expected its %s to name one of its ports, saw %q", [container.title, probe, port]),
		"pointer": sprintf("%s/%s/%s/port", [container.pointer, probe, action]),
	}
}

# METADATA
# title: Liveness and readiness ask the same
# description: |
#   The liveness probe asks what the readiness probe asks, with no more patience: a Pod that is only busy is killed
#   instead of being spared, and the others get its work.
# scope: document
# custom:
#   rule: probes-identical
#   subject: object
#   severity: info
#   help: Let the liveness probe ask less than the readiness probe, or give it a higher failureThreshold.
probes_identical contains hit if {
	pods.lasting_service
	some container in pods.containers
	readiness := container.spec.readinessProbe
	some action in ["httpGet", "tcpSocket", "exec", "grpc"]
	container.spec.livenessProbe[action] == readiness[action]
	patience(container.spec.livenessProbe) <= patience(readiness)
	hit := {
		"msg": sprintf("%s: expected a livenessProbe of its own, saw the readinessProbe's", [container.title]),
		"pointer": sprintf("%s/livenessProbe", [container.pointer]),
	}
}

# Kubernetes' defaults: every 10 seconds, three times.
patience(probe) := object.get(probe, "periodSeconds", 10) * object.get(probe, "failureThreshold", 3)

# METADATA
# title: Root file system can be written
# description: |
#   Without readOnlyRootFilesystem whoever gets into the container can change its programs, and what the process writes
#   there is lost without anybody noticing. Pod Security has no say in this.
# scope: document
# custom:
#   rule: root-filesystem-writable
#   subject: object
#   severity: info
#   help: Set securityContext.readOnlyRootFilesystem to true; mount an emptyDir where the process writes.
root_filesystem_writable contains hit if {
	some container in pods.containers
	not container.spec.securityContext.readOnlyRootFilesystem == true
	hit := {
		"msg": sprintf("%s: expected readOnlyRootFilesystem: true, saw none", [container.title]),
		"pointer": sprintf("%s/securityContext/readOnlyRootFilesystem", [container.pointer]),
	}
}

# METADATA
# title: Moving tag that is not pulled
# description: |
#   The image's tag can move, but the nodes are told to keep what they have: each runs whatever the tag meant when the
#   node first saw it.
# scope: document
# custom:
#   rule: pull-policy-stale
#   subject: object
#   severity: warning
#   help: Name a version or a digest; where the tag must move, set imagePullPolicy to Always.
pull_policy_stale contains hit if {
	some container in pods.containers
	container.spec.imagePullPolicy in {"IfNotPresent", "Never"}
	image := container.spec.image
	not contains(image, "@")
	not fixed(tag(image))
	hit := {
		"msg": sprintf("%s: expected imagePullPolicy Always for %q, saw %s", [
			container.title, image, container.spec.imagePullPolicy,
		]),
		"pointer": sprintf("%s/imagePullPolicy", [container.pointer]),
	}
}

# METADATA
# title: The node's container runtime
# description: |
#   A container gets the socket of the container runtime: it can start any other container on the node, privileged ones
#   too, and so is root there. The few that must (agents of the node) deserve a waiver with its reason.
# scope: document
# custom:
#   rule: runtime-socket
#   subject: object
#   severity: error
#   help: Build images without the node's runtime (BuildKit, Kaniko); waive it for an agent of the node, with a reason.
runtime_socket contains hit if {
	some i, volume in pods.spec.volumes
	path := volume.hostPath.path
	regex.match(`/(docker|dockershim|containerd|crio|cri-dockerd)\.sock$`, path)
	hit := {
		"msg": sprintf("volume %q: expected no socket of the container runtime, saw %q", [volume.name, path]),
		"pointer": sprintf("%s/volumes/%d/hostPath", [pods.pointer, i]),
	}
}

# METADATA
# title: Token of the default ServiceAccount
# description: |
#   The Pod runs as its namespace's default ServiceAccount and gets a token for the API server, which a program that
#   speaks to it would have an account of its own for.
# scope: document
# custom:
#   rule: token-mounted
#   subject: object
#   severity: info
#   help: Set automountServiceAccountToken to false, or give the workload a ServiceAccount of its own.
token_mounted contains hit if {
	pods.spec.containers
	object.get(pods.spec, "serviceAccountName", "default") in {"default", ""}
	not pods.spec.automountServiceAccountToken == false
	hit := {
		"msg": "expected automountServiceAccountToken: false or a ServiceAccount of its own, saw neither",
		"pointer": sprintf("%s/automountServiceAccountToken", [pods.pointer]),
	}
}
