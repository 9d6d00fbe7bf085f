"""A long, even load on a full stack, and what grows under it."""
