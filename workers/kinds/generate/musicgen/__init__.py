"""MusicGen, by the library transformers, which no other package imports."""
