"""A node image for kind where no image registry can be reached: from Debian's packages and the Go modules of the lock.

`pytest-gitops kind-node build` makes it; docs/kind.md has the how and why.
"""
