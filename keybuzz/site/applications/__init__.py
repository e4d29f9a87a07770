"""The applications of the platform: what each needs of it, and what it gets."""
