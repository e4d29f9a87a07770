"""Readers of files that are lines or blocks: environment files, INI, units, proxies, crontabs."""
