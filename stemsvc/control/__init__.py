"""What keeps jobs going: accept, route, publish, take back, clean up, follow, present."""
