"""Answers to the questions of checks: what no resource describes."""
