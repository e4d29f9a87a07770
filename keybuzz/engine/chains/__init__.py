"""Modules that share neither host nor gate, at work at the same time (`kbz run --side-by-side`)."""
