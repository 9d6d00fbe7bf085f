"""The work of the kind `master`."""
