"""Figures of audio work beside separation: `stemsvc bench audio`."""
