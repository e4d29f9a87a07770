"""The archive of `kbz bundle`: its files, its manifest, and how it is written."""
