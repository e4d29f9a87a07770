"""A stand-in for MinIO as far as kbz and its tests use it. It is not MinIO, and says so."""
