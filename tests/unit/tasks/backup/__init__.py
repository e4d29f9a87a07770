"""Tests of module backup."""
