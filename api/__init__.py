"""The HTTP face of stemsvc. Imports `stemsvc`, never `workers`, torch or an audio library."""
