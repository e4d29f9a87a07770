"""What would stop the first run: the hosts and this machine, looked at before anything is changed."""
