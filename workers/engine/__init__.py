"""The separation engine: loads weights, separates. Of ours it imports only `stemsvc.errors` and the catalog's types."""
