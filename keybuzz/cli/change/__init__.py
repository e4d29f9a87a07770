"""Verbs that change hosts."""
