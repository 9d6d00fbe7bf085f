"""The bundled demo: a renderer of songs with known stems, the small model trained on them, a sample song.

`score` writes a song as notes, `voices`, `kit` and `singer` turn notes into sound, `render` mixes. The
recipe that fitted the model, with its other renderers, lies in `training/`.
"""

from pathlib import Path

SONG = Path(__file__).parent / "song" / "mixture.flac"
