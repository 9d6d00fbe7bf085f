"""Writing down the notes of songs and of their stems."""
