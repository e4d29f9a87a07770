"""A stand-in for mc, MinIO's client, in the lab: its config file and what is asked with it here."""

VERSION = "RELEASE.2024-10-02T08-27-28Z"
"""What it stands in for."""
