"""Read the hosts and say what they are: survey, plan, causes, status. Nothing here changes a host."""
