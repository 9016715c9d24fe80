"""Being asked on this machine: who listens, and HTTP as a server speaks it."""
