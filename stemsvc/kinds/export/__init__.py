"""Projects for audio workstations and players, made of stems."""
