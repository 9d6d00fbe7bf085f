"""Projects, packs and `.stem.mp4` files made of stems."""
