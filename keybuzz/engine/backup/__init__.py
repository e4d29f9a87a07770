"""Backups: what there is, taking one, and proving that it is whole."""
