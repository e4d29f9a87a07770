"""`kbz bundle`: what a colleague or an upstream needs to see, masked, in one archive."""
