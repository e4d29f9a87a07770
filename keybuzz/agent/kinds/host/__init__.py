"""Kinds of resource of the operating system."""
