"""Restarts: one member at a time, the leader last."""
