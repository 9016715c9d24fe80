"""Acts for scenarios, and for users' own tests: on a cluster with an Argo CD of its own, which no stage sees."""
