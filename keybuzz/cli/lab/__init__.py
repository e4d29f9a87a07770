"""`kbz lab`: the servers on this machine."""
