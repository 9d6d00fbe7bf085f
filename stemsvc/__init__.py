"""Shared core of stemsvc: what the api and the workers both need, and nothing of either."""
