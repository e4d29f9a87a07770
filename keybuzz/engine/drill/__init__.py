"""Drills: break one member on purpose under a writer, and measure what that costs."""
