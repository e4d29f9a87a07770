"""Readers of files that are trees: YAML, JSON, TOML, HCL."""
