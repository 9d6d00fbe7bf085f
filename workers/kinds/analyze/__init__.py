"""Analysing a song."""
