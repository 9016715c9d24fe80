"""Admission: what kube-apiserver itself says of rendered objects, asked by dry-run on planes of its own."""
