"""Networks' weights: where they come from, where they lie, and that they are what the catalog says."""
