"""Snapshots of what stands in for etcd, in the real one's form: saved, deleted, and a cluster made of one."""
