"""SSH connections: dialing, host keys, and the plugins that log in."""
