"""What the services give to backup-01, and what comes back: tests that join the labs of the services."""
