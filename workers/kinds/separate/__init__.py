"""Splitting a song into stems."""
