"""Shards of hosts that workers ask: the contract, the runner on the controller, the worker, and ways between them."""
