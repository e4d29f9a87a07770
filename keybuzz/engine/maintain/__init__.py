"""Planned work on hosts that run: hand over a lead, take a host out of service for a while."""
