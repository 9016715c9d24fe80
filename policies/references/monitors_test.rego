package gitops.references_test

import data.gitops.references

monitor(spec) := thing("monitoring.coreos.com/v1", "ServiceMonitor", "m", {"spec": object.union(
	{"selector": {"matchLabels": {"app": "web"}}, "endpoints": [{"port": "http"}]},
	spec,
)})

test_monitor_selects_nothing_denies if {
	hits := references.monitor_selects_nothing with input as world([
		monitor({"selector": {"matchLabels": {"app": "wep"}}}),
		service({}),
	])
	messages(hits) == {"ServiceMonitor grid/m: expected a Service with app=wep in grid, saw none"}
	count(references.monitor_selects_nothing) == 1 with input as world([monitor({})])
}

test_monitor_selects_nothing_allows if {
	every objects in [
		[[monitor({}), service({})]],
		[[monitor({})], [service({})]],
		[[monitor({"selector": {}}), service({})]],
		[[monitor({"namespaceSelector": {"any": true}})]],
		[[monitor({"namespaceSelector": {"matchNames": ["of-others"]}})]],
		[[monitor({}), operator]],
	] {
		count(references.monitor_selects_nothing) == 0 with input as worlds(objects)
	}
}

test_monitor_port_unknown_denies if {
	hits := references.monitor_port_unknown with input as world([monitor({"endpoints": [{"port": "metrics"}]}), service({})])
	messages(hits) == {`ServiceMonitor grid/m: expected port "metrics" in the Services it selects, saw http`}
}

test_monitor_port_unknown_allows if {
	every objects in [
		[monitor({}), service({})],
		[monitor({"endpoints": [{"targetPort": 9090}]}), service({})],
		[monitor({"endpoints": [{"port": "metrics"}]})],
		[monitor({"endpoints": [{"port": "metrics"}], "namespaceSelector": {"any": true}}), service({})],
		[monitor({"endpoints": [{"port": "metrics"}]}), service({}), operator],
	] {
		count(references.monitor_port_unknown) == 0 with input as world(objects)
	}
}
