package gitops.workload

import data.gitops.lib.pods

# METADATA
# title: Readiness probe missing
# description: |
#   Without a readiness probe a Pod gets traffic as soon as its process has started, and a broken version is rolled
#   out over every replica because each counts as ready. Jobs, hooks and init containers need none.
# scope: document
# custom:
#   rule: readiness-probe-missing
#   subject: object
#   severity: warning
#   help: Add a readinessProbe that fails while the container cannot serve.
readiness_probe_missing contains hit if {
	pods.lasting_service
	some container in pods.containers
	not container.init
	not container.spec.readinessProbe
	hit := {
		"msg": sprintf("%s: expected a readinessProbe, saw none", [container.title]),
		"pointer": container.pointer,
	}
}

# METADATA
# title: Liveness probe missing
# description: |
#   Without a liveness probe a process that hangs is never restarted. Info only: a process that ends when it is
#   broken needs none, and a hasty probe does harm.
# scope: document
# custom:
#   rule: liveness-probe-missing
#   subject: object
#   severity: info
#   help: Add a livenessProbe if the process can hang without ending.
liveness_probe_missing contains hit if {
	pods.lasting_service
	some container in pods.containers
	not container.init
	not container.spec.livenessProbe
	hit := {
		"msg": sprintf("%s: expected a livenessProbe, saw none", [container.title]),
		"pointer": container.pointer,
	}
}
