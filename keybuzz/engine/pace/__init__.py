"""How carefully a run touches hosts: how many at once, which one first, and how many may fail."""
