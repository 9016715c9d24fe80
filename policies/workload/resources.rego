package gitops.workload

import data.gitops.lib.pods

# METADATA
# title: Requests missing
# description: |
#   Without requests the scheduler takes a container for weightless: nodes are overbooked, and its Pod is the first
#   to be evicted.
# scope: document
# custom:
#   rule: requests-missing
#   subject: object
#   severity: warning
#   help: Set resources.requests.cpu and resources.requests.memory to what the container normally uses.
requests_missing contains hit if {
	some container in pods.containers
	missing := [name | some name in ["cpu", "memory"]; not requested(container.spec, name)]
	count(missing) > 0
	hit := {
		"msg": sprintf("%s: expected requests for cpu and memory, saw none for %s", [
			container.title, concat(" and ", missing),
		]),
		"pointer": sprintf("%s/resources/requests", [container.pointer]),
	}
}

# METADATA
# title: Memory limit missing
# description: |
#   Without a memory limit one leaking container takes the whole node with it. A limit for cpu is not asked for: it
#   throttles a container on an idle node.
# scope: document
# custom:
#   rule: limits-missing
#   subject: object
#   severity: warning
#   help: Set resources.limits.memory.
limits_missing contains hit if {
	some container in pods.containers
	not present(container.spec, "limits", "memory")
	hit := {
		"msg": sprintf("%s: expected a memory limit, saw none", [container.title]),
		"pointer": sprintf("%s/resources/limits", [container.pointer]),
	}
}

present(container, sort_of, name) if object.get(container, ["resources", sort_of, name], null) != null

requested(container, name) if present(container, "requests", name)

# Kubernetes takes a limit for the request where there is no request.
requested(container, name) if present(container, "limits", name)
