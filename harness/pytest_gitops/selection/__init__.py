"""Which Applications are asked beside those that are named: the changed, the needed, those of this shard."""
