"""What kbz talks about: frozen values, no input or output, no import of any other room."""
