"""What verbs say at their end."""
