"""How kbz reaches hosts: one connection, one channel and one agent process for each of them."""
