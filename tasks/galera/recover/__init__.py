"""How the cluster comes back after a total stop: the node to start from, and the steps."""
