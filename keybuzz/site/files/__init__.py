"""Readers of the site's files: tables and YAML with line numbers, problems collected."""
