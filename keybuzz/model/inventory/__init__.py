"""Servers, groups, and where the lab lives."""
