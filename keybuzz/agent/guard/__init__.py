"""What keeps a host from harm that no handler is asked about: how far a session goes, and how files are opened."""
