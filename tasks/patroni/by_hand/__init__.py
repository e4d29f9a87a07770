"""What was set by hand in a running PostgreSQL that keeps the cluster from working."""
