"""Renders are asked for once: what depends on the same is taken over from the other side, or from an earlier run."""
