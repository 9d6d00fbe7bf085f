"""The catalog of models, and their weights: found, pulled, verified, locked."""
