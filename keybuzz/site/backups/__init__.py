"""What a module says of the backups of its services."""
