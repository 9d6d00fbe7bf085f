"""The recipe of the bundled model and song. People run it by hand; it is not installed."""
