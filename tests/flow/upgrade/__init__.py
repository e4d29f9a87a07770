"""`kbz upgrade`, whole: the command line, the real agent, and engines that hold and run images."""
