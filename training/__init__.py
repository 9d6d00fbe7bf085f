"""The recipe of the bundled model and song, run by hand. It is no part of what is installed."""
