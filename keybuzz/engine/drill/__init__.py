"""Drills: break one member on purpose while somebody writes, and measure what that costs."""
