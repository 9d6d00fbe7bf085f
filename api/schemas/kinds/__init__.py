"""The form of each kind of job, one file for each kind, and the registry that finds them."""
