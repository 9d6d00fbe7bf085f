"""What keeps jobs going: accepting, routing, publishing, taking back, cleaning, following, showing."""
