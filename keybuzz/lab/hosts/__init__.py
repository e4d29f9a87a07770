"""One lab host: its base, disk, processes and start."""
