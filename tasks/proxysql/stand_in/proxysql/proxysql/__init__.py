"""A stand-in for ProxySQL 2.6.4, for the lab only: standard library, one thread a session."""
