"""What hosts say, before anything else of kbz sees it."""
