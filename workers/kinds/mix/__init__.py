"""The work of the kind `mix`."""
