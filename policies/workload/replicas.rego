package gitops.workload

import data.gitops.lib.pods
import data.gitops.lib.production

replicas := object.get(input.object, ["spec", "replicas"], 1) if {
	input.object.kind in {"Deployment", "StatefulSet", "Rollout"}
	pods.pointer
}

# METADATA
# title: Update that stops all
# description: |
#   Several replicas, but an update stops all of them before new ones are ready: the replicas do not keep the service
#   up when it matters most.
# scope: document
# custom:
#   rule: update-stops-all
#   subject: object
#   severity: warning
#   help: Use RollingUpdate and leave maxUnavailable below the number of replicas.
update_stops_all contains hit if {
	input.object.kind == "Deployment"
	pods.pointer
	replicas > 1
	why := stops(input.object.spec.strategy)
	hit := {
		"msg": sprintf("expected some of the %d replicas to go on during an update, saw %s", [replicas, why]),
		"pointer": "/spec/strategy",
	}
}

stops(strategy) := "strategy Recreate" if strategy.type == "Recreate"

stops(strategy) := sprintf("maxUnavailable %v", [most]) if {
	not strategy.type == "Recreate"
	most := strategy.rollingUpdate.maxUnavailable
	all_of_them(most)
}

all_of_them("100%")

all_of_them(most) if {
	is_number(most)
	most >= replicas
}

# METADATA
# title: One replica in production
# description: |
#   A production Deployment runs one replica: every drained node, every crash is an outage. StatefulSets are left alone:
#   their number is the matter of the program in them.
# scope: document
# custom:
#   rule: single-replica
#   subject: object
#   severity: info
#   help: Run two replicas or more if the program can; otherwise waive it and say why one is enough.
single_replica contains hit if {
	input.object.kind == "Deployment"
	pods.pointer
	input.object.spec.replicas == 1
	count(production.evidence) > 0
	hit := {"msg": "expected several replicas in production, saw 1", "pointer": "/spec/replicas"}
}

# METADATA
# title: Replicas of production may share a node
# description: |
#   Several replicas in production without anti-affinity or spread constraints: the scheduler spreads them only as far as
#   it is convenient, and one node may have them all.
# scope: document
# custom:
#   rule: spread-missing
#   subject: object
#   severity: info
#   help: Add topologySpreadConstraints over kubernetes.io/hostname.
spread_missing contains hit if {
	replicas > 1
	count(production.evidence) > 0
	spec := pods.spec
	not spec.affinity.podAntiAffinity
	count(object.get(spec, "topologySpreadConstraints", [])) == 0
	hit := {
		"msg": sprintf("expected topologySpreadConstraints or a podAntiAffinity for %d replicas, saw neither", [replicas]),
		"pointer": pods.pointer,
	}
}

# METADATA
# title: Job that vanishes
# description: |
#   A Job that Argo CD keeps like any other object is deleted by Kubernetes when it is done: the Application becomes
#   OutOfSync, and the next sync runs the Job once more; with self-heal, for ever.
# scope: document
# custom:
#   rule: job-vanishes
#   subject: object
#   severity: warning
#   help: Make it a hook (argocd.argoproj.io/hook with hook-delete-policy HookSucceeded), or remove the TTL.
job_vanishes contains hit if {
	input.object.kind == "Job"
	pods.pointer
	seconds := input.object.spec.ttlSecondsAfterFinished
	not input.object.metadata.annotations["argocd.argoproj.io/hook"]
	not input.object.metadata.annotations["helm.sh/hook"]
	hit := {
		"msg": sprintf("expected no ttlSecondsAfterFinished in a Job that is no hook, saw %v", [seconds]),
		"pointer": "/spec/ttlSecondsAfterFinished",
	}
}

# METADATA
# title: CronJob without a deadline
# description: |
#   Without startingDeadlineSeconds a CronJob that missed more than a hundred of its times (suspended, or a control plane
#   that was away) is not started again.
# scope: document
# custom:
#   rule: cronjob-deadline-missing
#   subject: object
#   severity: info
#   help: Set spec.startingDeadlineSeconds to how late a run is still of use.
cronjob_deadline_missing contains hit if {
	input.object.kind == "CronJob"
	pods.pointer
	not input.object.spec.startingDeadlineSeconds
	hit := {"msg": "expected startingDeadlineSeconds, saw none", "pointer": "/spec/startingDeadlineSeconds"}
}
