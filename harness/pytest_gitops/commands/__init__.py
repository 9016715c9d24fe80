"""The command `pytest-gitops`: what is done outside a test run."""
