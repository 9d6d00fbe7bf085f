"""What work there is."""
