"""What a host with MinIO can be asked, and what it can be told to be: for this module, and those that use it."""
