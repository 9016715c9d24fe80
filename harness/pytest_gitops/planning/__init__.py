"""Which Applications there are: what files declare, and what Argo CD makes of it."""
