"""Measured figures and their bars: `stemsvc bench engine`, `api`, `queue` and `audio`."""
