"""Shards: what is cut, what is said, and what is refused."""
