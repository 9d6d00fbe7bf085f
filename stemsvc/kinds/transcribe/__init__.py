"""Writing down notes."""
