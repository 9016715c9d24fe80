"""The loopback world: local stand-ins for the hosts that manifests name, and the guard of everything else.

`pytest_gitops.world.loopback.World` is its front door; it is not imported here, because it needs
cryptography.
"""

from pytest_gitops.world.egress import Refusal

__all__ = ["Refusal"]
