"""The backups of PostgreSQL: how they are made, what lies there, and how one is brought back."""
