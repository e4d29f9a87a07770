"""What teams use a check for: only what is new, only what changed, and corrections."""
