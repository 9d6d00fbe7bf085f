"""The embedded composer: it writes a score by a genre's template, and plays it. It needs no weights and no network."""
