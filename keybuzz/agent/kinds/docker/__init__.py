"""Kinds of resource of the Docker Engine."""
