"""What runs on backup-01 itself: programs of the standard library that are fed to its Python and not kept there."""
