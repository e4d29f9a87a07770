"""The services whose backups lie in the restic repository of backup-01: one shape, and what differs between them."""
