"""Rows of docs/states.md that are made on one service, beyond what its own file has room for."""
