"""The one page of `kbz report --html` and `kbz serve`."""
