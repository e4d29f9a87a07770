"""How secrets are spelled in what programs say, and what each module adds to that (tasks/<module>/said.py)."""
