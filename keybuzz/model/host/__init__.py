"""Resources and readings of one host: files, packages, Docker, the operating system."""
