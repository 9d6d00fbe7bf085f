"""The engine's figures, ours and upstream's in turn: `stemsvc bench engine`."""
