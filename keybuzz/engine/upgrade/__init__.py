"""`kbz upgrade`: another version of an image, by the table of its module and by the conduct of `kbz run`."""
