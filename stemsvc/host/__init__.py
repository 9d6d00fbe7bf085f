"""Secrets that come from files, and what is said of one without saying it."""
