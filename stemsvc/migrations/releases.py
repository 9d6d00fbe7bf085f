"""The last revision of the tables that each release has: what `stemsvc migrate --to` goes back to for its sake."""

RELEASES = {
    "0.1": "0006",
    "0.2": "0007",
}
