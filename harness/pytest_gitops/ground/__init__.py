"""What a run stands on: its sides, clusters and controllers, brought up when they are needed."""
