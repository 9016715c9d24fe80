package gitops.lib.credentials_test

import data.gitops.lib.credentials

test_every_needle_is_found_by_the_quick_search if {
	every format in credentials.formats {
		every needle in format.needles {
			credentials.needle_in(needle)
			not credentials.needle_in(substring(needle, 1, -1))
		}
	}
}
