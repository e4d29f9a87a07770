"""What was set by hand in a running Redis or Sentinel."""
