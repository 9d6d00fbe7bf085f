"""What can be heard in a track: tempo, beats, key, chords, sections, loudness and the state of the signal."""
