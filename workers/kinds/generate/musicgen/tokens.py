"""Samples the tokens of music: the network's frames one after the other, each codebook a step after the one before.

The delay pattern is MusicGen's (https://arxiv.org/abs/2306.05284, section 2.2). The loop is ours, because a job must be
able to stop between two steps, and the same seed must give the same tokens whatever else draws random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from stemsvc.errors import GeneratorFailed

GUIDANCE, BEST = 3.0, 250  # as MusicGen's makers sample: weight of the words, tokens that one is drawn from
OnStep = Callable[[int], None]  # called with the steps that are done


class Network(Protocol):
    """The decoder, with what it is conditioned on in it."""

    def __call__(self, tokens: Tensor) -> Tensor:
        """The next step's scores [2, codebooks, tokens], with the words and without, after `tokens` [codebooks, n]."""


@dataclass(frozen=True)
class Pattern:
    """How codebooks are interleaved. `pad` stands where a codebook has no token."""

    codebooks: int
    channels: int
    pad: int

    @property
    def delays(self) -> list[int]:
        """By how many steps each codebook is late; those of the left and the right channel alternate."""
        return [number // self.channels for number in range(self.codebooks)]

    def steps(self, frames: int) -> int:
        """How many steps it takes until the last codebook has so many frames."""
        return frames + max(self.delays)

    def column(self, codes: Tensor, step: int) -> Tensor:
        """The tokens [codebooks, 1] that the network gets at a step; step 0 begins."""
        found = torch.full((self.codebooks, 1), self.pad, dtype=torch.long)
        for number, delay in enumerate(self.delays):
            frame = step - 1 - delay
            if 0 <= frame < codes.shape[1]:
                found[number] = codes[number, frame]
        return found


@torch.inference_mode()
def sample(
    network: Network,
    pattern: Pattern,
    prompt: Tensor,
    frames: int,
    generator: torch.Generator | None,
    on_step: OnStep = lambda done: None,
    guidance: float = GUIDANCE,
) -> Tensor:
    """Codes [codebooks, frames] that go on from `prompt` [codebooks, n], which is not among them.

    Without a generator the best token is taken. Raises `FatalError` `generator_failed`, and what `on_step` raises.
    """
    known = prompt.shape[1]
    codes = torch.full((pattern.codebooks, known + frames), -1, dtype=torch.long)
    codes[:, :known] = prompt
    tokens = torch.cat([pattern.column(codes, step) for step in range(known + 1)], dim=1)
    for step in range(known + 1, pattern.steps(known + frames) + 1):
        scores = network(tokens).float().cpu()
        chosen = _choose(scores[1] + guidance * (scores[0] - scores[1]), generator)
        for number, delay in enumerate(pattern.delays):
            frame = step - 1 - delay
            if known <= frame < known + frames:
                codes[number, frame] = chosen[number]
        tokens = pattern.column(codes, step)
        on_step(step - known)
    return codes[:, known:]


def _choose(scores: Tensor, generator: torch.Generator | None) -> Tensor:
    """A token for each codebook."""
    if not torch.isfinite(scores).all():
        raise GeneratorFailed("the network's scores are not finite numbers")
    if generator is None:
        return scores.argmax(dim=-1)
    best = torch.topk(scores, min(BEST, scores.shape[-1]), dim=-1)
    drawn = torch.multinomial(best.values.softmax(dim=-1), 1, generator=generator)
    return best.indices.gather(-1, drawn)[:, 0]


class Decoder:
    """One run of a decoder of transformers' over the hidden states of words, which come first where it has no attention
    to them. Both halves of a batch of two are run: with the words, and without."""

    def __init__(self, decoder: Any, hidden: Tensor, mask: Tensor | None) -> None:
        """`hidden` is [2, n, width]; `mask` [2, n] is None where the hidden states are a prefix."""
        self._decoder = decoder
        self._hidden, self._mask = hidden, mask
        self._cache: Any = None

    def __call__(self, tokens: Tensor) -> Tensor:
        """See `Network`."""
        words: dict[str, Tensor] = {}
        if self._mask is not None:
            words = {"encoder_hidden_states": self._hidden, "encoder_attention_mask": self._mask}
        elif self._cache is None:
            words = {"encoder_hidden_states": self._hidden}
        both = tokens.repeat(2, 1).to(self._hidden.device)
        made = self._decoder(input_ids=both, cache=self._cache, use_cache=True, **words)
        self._cache = made.cache
        scores: Tensor = made.logits[:, -1]
        return scores.reshape(2, -1, scores.shape[-1])
