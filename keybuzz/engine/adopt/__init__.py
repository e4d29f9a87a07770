"""What a host has from before kbz: recognised, never overwritten."""
