"""What the user says, as values: of the run, its shard, its clusters, its waivers and what is expected of RBAC."""
