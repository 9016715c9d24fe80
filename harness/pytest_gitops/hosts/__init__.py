"""Clusters that exist: reached, shared with others, and left as they were found."""
