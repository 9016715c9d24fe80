# METADATA
# description: |
#   Everything that all Applications render to, found by name, by kind and by label without searching. Every lookup is
#   by a complete rule, which OPA makes once; a lookup in a partial rule would go through all objects again each time.
package gitops.lib.cluster

import data.gitops.lib.grouping
import data.gitops.lib.identity

entries := [entry |
	some i, application in input.all.applications
	cluster := identity.cluster(application.manifest)
	some j, manifest in application.objects
	entry := {
		"place": [cluster, identity.namespace(manifest, application.manifest)],
		"type": sprintf("%s/%s", [identity.group(manifest), manifest.kind]),
		"name": object.get(manifest, ["metadata", "name"], ""),
		"at": [i, j],
		"object": manifest,
	}
]

types := grouping.of([[entry.type, n] | some n, entry in entries])

# The numbers of the entries of one type ("group/Kind").
numbers(type) := object.keys(object.get(types, type, {}))

of_type(type) := [entries[n] | some n in numbers(type)]

names := grouping.of([[[entry.type, entry.place, entry.name], n] | some n, entry in entries])

# What is of this type and name in a place ([cluster, namespace]).
named(type, place, name) := [entries[n] | some n, _ in names[[type, place, name]]]

exists(type, place, name) if names[[type, place, name]]

# Where more objects are than are seen here: an Application that does not render, or renders to nothing.
unseen := {place |
	some application in input.all.applications
	count(object.get(application, "objects", [])) == 0
	place := [identity.cluster(application.manifest), object.get(
		application.manifest,
		["spec", "destination", "namespace"],
		"default",
	)]
}

# Where something is, so that a name that is not there is worth a word.
seen := {entry.place | some entry in entries} - unseen

pod_paths := {
	"/Pod": [],
	"/ReplicationController": ["spec", "template"],
	"apps/Deployment": ["spec", "template"],
	"apps/StatefulSet": ["spec", "template"],
	"apps/DaemonSet": ["spec", "template"],
	"apps/ReplicaSet": ["spec", "template"],
	"batch/Job": ["spec", "template"],
	"batch/CronJob": ["spec", "jobTemplate", "spec", "template"],
	"argoproj.io/Rollout": ["spec", "template"],
}

# Each workload with the Pod it makes. {number of the entry: {entry, labels, spec, pointer}}
pods := {n: pod |
	some type, path in pod_paths
	some n in numbers(type)
	entry := entries[n]
	template := object.get(entry.object, path, {})
	pod := {
		"entry": entry,
		"labels": object.get(template, ["metadata", "labels"], {}),
		"spec": object.get(template, "spec", {}),
		"pointer": concat("", [sprintf("/%s", [step]) | some step in array.concat(path, ["spec"])]),
	}
}

pod_containers(pod) := [{"spec": container, "pointer": sprintf("%s/%s/%d", [pod.pointer, field, i])} |
	some field in ["containers", "initContainers"]
	some i, container in pod.spec[field]
]

in_place := grouping.of([[pod.entry.place, n] | some n, pod in pods])

labels := grouping.of([[[pod.entry.place, key, value], n] |
	some n, pod in pods
	some key, value in pod.labels
])

# The Pods of a place that have all these labels; none for no label.
with_labels(_, wanted) := set() if count(wanted) == 0

with_labels(place, wanted) := intersection({having(place, key, value) | some key, value in wanted}) if count(wanted) > 0

default having(_, _, _) := set()

having(place, key, value) := object.keys(labels[[place, key, value]])

# The Pods of a place that a LabelSelector selects; all of them for an empty one.
selected(place, selector) := {n | some n in candidates(place, selector); fits(selector, pods[n].labels)}

candidates(place, selector) := with_labels(place, selector.matchLabels) if count(selector.matchLabels) > 0

candidates(place, selector) := having_any(place) if count(object.get(selector, "matchLabels", {})) == 0

default having_any(_) := set()

having_any(place) := object.keys(in_place[place])

fits(selector, having_labels) if {
	every key, value in object.get(selector, "matchLabels", {}) {
		having_labels[key] == value
	}
	every expression in object.get(selector, "matchExpressions", []) {
		holds(expression, having_labels)
	}
}

holds(expression, having_labels) if {
	expression.operator == "In"
	having_labels[expression.key] in expression.values
}

holds(expression, having_labels) if {
	expression.operator == "NotIn"
	not object.get(having_labels, expression.key, null) in expression.values
}

holds(expression, having_labels) if {
	expression.operator == "Exists"
	_ = having_labels[expression.key]
}

holds(expression, having_labels) if {
	expression.operator == "DoesNotExist"
	not expression.key in object.keys(having_labels)
}

# Groups, and kinds of others, whose objects make no Pods.
passive_groups := {
	"argoproj.io", "bitnami.com", "cert-manager.io", "acme.cert-manager.io", "cilium.io", "crd.projectcalico.org",
	"external-secrets.io", "generators.external-secrets.io", "keda.sh", "kyverno.io", "networking.istio.io",
	"projectcalico.org", "security.istio.io", "telemetry.istio.io", "traefik.io", "traefik.containo.us", "isindir.github.com",
}

passive_kinds := {
	"AlertmanagerConfig", "PodMonitor", "Probe", "PrometheusRule", "ScrapeConfig", "ServiceMonitor", "GrafanaDashboard",
	"GrafanaDatasource",
}

# Places where somebody else makes Pods: an operator, by a custom object, or an Application that does not render.
operated := unseen | {entry.place |
	some entry in entries
	not builtin(identity.group(entry.object))
	not identity.group(entry.object) in passive_groups
	not entry.object.kind in passive_kinds
}

# Where nothing may be that is not seen, of what an operator could make.
settled := seen - operated

builtin(group) if not contains(group, ".")

builtin(group) if endswith(group, ".k8s.io")

title(entry) := concat(" ", [entry.object.kind, concat("/", [part |
	some part in [entry.place[1], entry.name]
	part != ""
])])

key(entry) := input.all.applications[entry.at[0]].key

manifest(entry) := input.all.applications[entry.at[0]].manifest

# A finding in an object. `pointer` is one into the object.
hit(entry, pointer, said) := {
	"msg": sprintf("%s: %s", [title(entry), said]),
	"resource": title(entry),
	"application": key(entry),
	"pointer": sprintf("/all/applications/%d/objects/%d%s", [entry.at[0], entry.at[1], pointer]),
}
