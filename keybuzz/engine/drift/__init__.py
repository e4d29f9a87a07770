"""What was changed by hand and what no description explains, against the run before."""
