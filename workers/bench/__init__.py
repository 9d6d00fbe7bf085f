"""Measured figures and their bars: `stemsvc bench engine`, `stemsvc bench api`, `stemsvc bench queue`."""
