package gitops.references

import data.gitops.lib.cluster
import data.gitops.lib.grouping

monitors := cluster.of_type("monitoring.coreos.com/ServiceMonitor")

services_labelled := grouping.of([[[entry.place, key, value], n] |
	some n in cluster.numbers("/Service")
	entry := cluster.entries[n]
	some key, value in entry.object.metadata.labels
])

services_in := grouping.of([[cluster.entries[n].place, n] | some n in cluster.numbers("/Service")])

# The places that a monitor looks at; undefined where it looks at every namespace.
watched(entry) := {[entry.place[0], name] | some name in entry.object.spec.namespaceSelector.matchNames} if {
	count(entry.object.spec.namespaceSelector.matchNames) > 0
	not entry.object.spec.namespaceSelector.any == true
}

watched(entry) := {entry.place} if {
	count(object.get(entry.object, ["spec", "namespaceSelector", "matchNames"], [])) == 0
	not entry.object.spec.namespaceSelector.any == true
}

monitored(entry) := {n |
	some place in watched(entry)
	some n in service_candidates(place, entry.object.spec.selector)
	cluster.fits(entry.object.spec.selector, object.get(cluster.entries[n].object, ["metadata", "labels"], {}))
}

service_candidates(place, selector) := services_having(place, key, selector.matchLabels[key]) if {
	key := min(object.keys(selector.matchLabels))
}

service_candidates(place, selector) := services_at(place) if count(object.get(selector, "matchLabels", {})) == 0

default services_having(_, _, _) := set()

services_having(place, key, value) := object.keys(services_labelled[[place, key, value]])

default services_at(_) := set()

services_at(place) := object.keys(services_in[place])

# METADATA
# title: ServiceMonitor that selects nothing
# description: |
#   No Service in the namespaces that the ServiceMonitor looks at has the labels that it selects: nothing is scraped, and
#   an alert on what is missing never comes. Namespaces in which an operator may make the Service are left alone.
# scope: document
# custom:
#   rule: monitor-selects-nothing
#   subject: repository
#   severity: warning
#   help: Make spec.selector and the labels of the Service (not of its Pods) one and the same.
monitor_selects_nothing contains hit if {
	some entry in monitors
	places := watched(entry)
	every place in places {
		place in cluster.seen
		not place in cluster.operated
	}
	count(monitored(entry)) == 0
	hit := cluster.hit(entry, "/spec/selector", sprintf(
		"expected a Service with %s in %s, saw none",
		[spoken_selector(entry.object.spec.selector), concat(", ", sort({place[1] | some place in places}))],
	))
}

# METADATA
# title: ServiceMonitor of a port that no Service has
# description: |
#   The ServiceMonitor scrapes a port by name, and none of the Services that it selects has a port of that name: nothing
#   is scraped, silently.
# scope: document
# custom:
#   rule: monitor-port-unknown
#   subject: repository
#   severity: error
#   help: Name in endpoints[].port a port of the Service by its name, or name the Service's port.
monitor_port_unknown contains hit if {
	some entry in monitors
	not operated_at(watched(entry))
	chosen := monitored(entry)
	count(chosen) > 0
	having := {port.name | some n in chosen; some port in cluster.entries[n].object.spec.ports}
	some i, endpoint in entry.object.spec.endpoints
	endpoint.port
	not endpoint.port in having
	hit := cluster.hit(entry, sprintf("/spec/endpoints/%d/port", [i]), sprintf(
		"expected port %q in the Services it selects, saw %s",
		[endpoint.port, spoken(having)],
	))
}

operated_at(places) if {
	some place in places
	place in cluster.operated
}
