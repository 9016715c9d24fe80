"""The checkout's own test run: the GitOps repositories in `fixtures/` are subjects of tests, not tests."""

collect_ignore = ["fixtures"]
