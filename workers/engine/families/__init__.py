"""Families of networks beside Demucs': our own modules, which take the published checkpoints' state as it is.

A network takes stereo chunks [batch, 2, length] and returns the stems asked for, [batch, stems, 2, length]. Each
module is held against the implementation of Music-Source-Separation-Training (MSST), whose checkpoints people publish;
MDX-Net and VR against audio-separator, which runs those of Ultimate Vocal Remover.
"""
