"""Parameters of site.yaml: who reads one declares it, with its form, its bounds and what it means."""
