"""The frozen images: what is pinned, what a registry has, and copies of them."""
