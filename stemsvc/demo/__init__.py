"""The bundled demo: a renderer of songs with known stems, the small model trained on them, a sample song.

`score` writes a song as notes, `voices`, `kit` and `singer` turn notes into sound, `soundfont` does the
same with real instrument samples, `render` mixes, `dataset` and `train` fit the model (only `train`
imports torch, and nothing imports `train`), `show` is `stemsvc demo`.
"""
