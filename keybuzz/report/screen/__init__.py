"""What fits a screen: width, equal things on many hosts as one entry, progress stage by stage."""
