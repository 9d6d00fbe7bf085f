"""What clients send, and what the answers look like."""
