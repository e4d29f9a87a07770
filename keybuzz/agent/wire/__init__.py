"""Clients of the protocols that services speak, from the standard library."""
