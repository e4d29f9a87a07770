"""Verbs about the site's own files: inventory, keys, credentials, versions, rules."""
