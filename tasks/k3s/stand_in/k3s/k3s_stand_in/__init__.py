"""A stand-in for K3s in the lab: its interface and its failures, without containers (see docs/k3s.md)."""

VERSION = "v1.33.5+k3s1"
"""What it stands in for, and what its nodes report."""
STATE = "/var/lib/rancher/k3s"
