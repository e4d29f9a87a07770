"""From old deployments to the description, on real servers."""
