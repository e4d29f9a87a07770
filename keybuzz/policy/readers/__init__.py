"""From the text of a file to a Document: one reader for each kind, pure, with the place of every value."""
