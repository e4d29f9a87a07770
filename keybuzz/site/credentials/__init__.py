"""The credential store (SEC-1): schema, files, checks, pending values."""
