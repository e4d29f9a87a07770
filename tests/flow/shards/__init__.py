"""Shards on real workers: processes on this machine, and a relay over SSH on loopback."""
