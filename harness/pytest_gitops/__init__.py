"""Proves, before the merge, that a GitOps repository converges on the real Argo CD."""

__version__ = "0.1.0"
