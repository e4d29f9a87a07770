"""What verbs share: options, output, completion, errors."""
