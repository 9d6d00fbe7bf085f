"""The bundled demo: a renderer of songs with known stems, the small model trained on them, a sample song.

`score` writes a song as notes, `voices`, `kit` and `singer` turn notes into sound, `render` mixes, `show` is
`stemsvc demo`. The recipe that fitted the model, with its other renderers, lies in `training/`.
"""
