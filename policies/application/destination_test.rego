package gitops.application_test

import data.gitops.application

destined(destination) := {"application": {"spec": {"destination": destination}}}

test_destination_default_namespace_denies if {
	count(application.destination_default_namespace) == 1 with input as destined({"namespace": "default"})
}

test_destination_default_namespace_allows if {
	every destination in [{"namespace": "grid"}, {}] {
		count(application.destination_default_namespace) == 0 with input as destined(destination)
	}
}
