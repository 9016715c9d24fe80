"""Scenarios: what a repository wants to see happen, in steps; as files and as an API for tests in Python.

Values, their parser, comparisons and the runner. Who acts on a cluster for them is `acting`.
"""
