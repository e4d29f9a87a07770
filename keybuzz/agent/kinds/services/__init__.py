"""Kinds of resource inside services."""
