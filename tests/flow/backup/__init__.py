"""Flow tests of the backups: what they ask of Patroni."""
