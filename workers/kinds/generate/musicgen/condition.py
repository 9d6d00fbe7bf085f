"""What MusicGen is conditioned on: words by its text encoder, a melody by the loudest pitch class of each moment."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stemsvc.kinds.generate.brief import Brief
from workers.kinds.generate.musicgen.load import Loaded
from workers.kinds.generate.musicgen.tokens import Decoder

# As MusicGen's melody models were trained (https://arxiv.org/abs/2306.05284, section 3.1).
SPECTRUM, HOP = 16384, 4096


def words_of(brief: Brief) -> str:
    """What the text encoder reads: the prompt, and what is settled of the piece."""
    said = [brief.prompt.strip(), brief.genre.replace("_", " "), brief.mood, f"{brief.bpm:g} bpm", brief.key.name]
    return ", ".join(each for each in said if each)


@torch.inference_mode()
def conditioned(of: Loaded, words: str, melody: Tensor | None) -> Decoder:
    """A decoder that hears the words, and the `melody` [n, pitch classes] where it can."""
    network, device = of.network, of.device
    ids = torch.tensor([of.tokenizer.encode(words).ids], dtype=torch.long, device=device)
    hidden = network.text_encoder(input_ids=ids).last_hidden_state
    if hasattr(network, "enc_to_dec_proj"):
        hidden = network.enc_to_dec_proj(hidden)
    hidden = torch.cat([hidden, torch.zeros_like(hidden)])
    mask = torch.cat([torch.ones_like(ids), torch.zeros_like(ids)])
    if not hasattr(network.config, "num_chroma"):
        return Decoder(network.decoder, hidden.to(network.decoder.dtype), mask)
    hidden = torch.cat([_melody(network, melody), hidden], dim=1)
    return Decoder(network.decoder, hidden.to(network.decoder.dtype), None)


def _melody(network: Any, melody: Tensor | None) -> Tensor:
    """The hidden states [2, n, width] of a melody, and of none."""
    config = network.config
    none = torch.zeros((1, 1 if melody is None else len(melody), config.num_chroma), device=network.device)
    none[:, :, 0] = 1
    both = torch.cat([none if melody is None else melody[None].to(none), none])
    if hasattr(network, "audio_enc_to_dec_proj"):
        both = network.audio_enc_to_dec_proj(both)
    times = math.ceil(config.chroma_length / both.shape[1])
    return both.repeat(1, times, 1)[:, : config.chroma_length]


def chroma(samples: NDArray[np.float32], rate: int, classes: int) -> Tensor:
    """The loudest pitch class [n, classes] of each `HOP` samples of a mono track at the network's rate."""
    from transformers.audio_utils import chroma_filter_bank

    wave = torch.from_numpy(np.ascontiguousarray(samples))
    if len(wave) < SPECTRUM:
        wave = torch.nn.functional.pad(wave, (0, SPECTRUM - len(wave)))
    window = torch.hann_window(SPECTRUM)
    power = torch.stft(wave, SPECTRUM, HOP, window=window, return_complex=True).abs() ** 2
    filters = chroma_filter_bank(num_frequency_bins=SPECTRUM, num_chroma=classes, sampling_rate=rate, tuning=0)
    strength = torch.from_numpy(np.asarray(filters, np.float32)) @ power
    return torch.nn.functional.one_hot(strength.argmax(dim=0), classes).float()


def from_second(melody: Tensor, seconds: float, rate: int) -> Tensor:
    """The melody from that second on. It begins again where it ends."""
    return torch.roll(melody, -round(seconds * rate / HOP), dims=0)
