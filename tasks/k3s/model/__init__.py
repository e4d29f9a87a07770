"""What a host with K3s can be asked, and what it can be told to be: for this module, and those that use it."""
