"""Readers of programs: shell, Dockerfiles, Makefiles, and source code in several languages."""
