"""Our loop over the tokens says what transformers' own does."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from stemsvc.models.catalog import load_catalog
from tests.workers.kinds.generate.musicgen.tiny import catalog_file, tiny
from workers.kinds.generate.musicgen.condition import chroma, conditioned, from_second
from workers.kinds.generate.musicgen.load import Loaded, loaded
from workers.kinds.generate.musicgen.provider import composed, windows
from workers.kinds.generate.musicgen.tokens import GUIDANCE, sample

FRAMES = 24
WORDS = "a dark slow tune"


class Watch(StoppingCriteria):
    """Keeps the tokens [codebooks, n] of the last step; it stops nothing."""

    tokens: Tensor

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        self.tokens = input_ids.clone()
        return torch.zeros(len(input_ids), dtype=torch.bool)


def network(folder: Path, channels: int = 1, melody: bool = False) -> Loaded:
    entry = load_catalog(catalog_file(folder, "tiny", channels, melody)).generators.get("tiny")
    paths = []
    for name, data in tiny(channels, melody).items():
        (folder / name).write_bytes(data)
        paths.append(folder / name)
    return loaded(entry, "cpu", paths)


def theirs(of: Loaded, prompt: Tensor, frames: int, **more: Any) -> Tensor:
    """The codes [codebooks, frames] that transformers' greedy search says after the prompt."""
    watch, ids = Watch(), torch.tensor([of.tokenizer.encode(WORDS).ids])
    config = of.network.generation_config
    config.pad_token_id = config.bos_token_id = config.decoder_start_token_id = of.pattern.pad
    given = {"decoder_input_ids": prompt} if prompt.shape[1] else {}
    of.network.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        guidance_scale=GUIDANCE,
        max_new_tokens=of.pattern.steps(frames),
        stopping_criteria=StoppingCriteriaList([watch]),
        **given,
        **more,
    )
    known = prompt.shape[1]
    rows = [watch.tokens[at, 1 + known + late :][:frames] for at, late in enumerate(of.pattern.delays)]
    return torch.stack(rows)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_best_tokens_are_those_of_transformers(channels: int, tmp_path: Path) -> None:
    of = network(tmp_path, channels)
    nothing = torch.zeros((of.pattern.codebooks, 0), dtype=torch.long)
    ours = sample(conditioned(of, WORDS, None), of.pattern, nothing, FRAMES, None)
    assert torch.equal(ours, theirs(of, nothing, FRAMES))
    assert len({*ours.flatten().tolist()}) > 2

    begun = torch.randint(0, 64, (of.pattern.codebooks, 9), generator=torch.Generator().manual_seed(3))
    goes_on = sample(conditioned(of, WORDS, None), of.pattern, begun, FRAMES, None)
    assert torch.equal(goes_on, theirs(of, begun, FRAMES))
    assert not torch.equal(goes_on, ours)


def test_a_melody_is_heard_as_transformers_hears_it(tmp_path: Path) -> None:
    of = network(tmp_path, melody=True)
    nothing = torch.zeros((of.pattern.codebooks, 0), dtype=torch.long)
    line = torch.nn.functional.one_hot(torch.tensor([0, 4, 7, 0, 5, 9]), 12).float()
    followed = sample(conditioned(of, WORDS, line), of.pattern, nothing, FRAMES, None)
    assert torch.equal(followed, theirs(of, nothing, FRAMES, input_features=line[None]))
    assert not torch.equal(followed, sample(conditioned(of, WORDS, None), of.pattern, nothing, FRAMES, None))


def test_a_tone_s_pitch_class_is_found_and_a_melody_begins_again() -> None:
    time = torch.arange(3 * 32000) / 32000
    tones = torch.cat([torch.sin(2 * torch.pi * hertz * time) for hertz in (261.63, 392.0)])  # C, then G
    line = chroma(tones.numpy(), 32000, 12).argmax(dim=1)
    assert line[3:20].tolist() == [0] * 17
    assert line[28:44].tolist() == [7] * 16
    assert from_second(torch.arange(10)[:, None].float(), 0.256, 32000)[:, 0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


def test_windows_add_up_and_each_goes_on_from_the_one_before(tmp_path: Path) -> None:
    assert windows(250, 1500, 600) == [250]
    assert windows(1500, 1500, 600) == [1500]
    assert sum(windows(15_000, 1500, 600)) == 15_000
    assert max(windows(15_000, 1500, 600)[1:]) == 900

    of, told = network(tmp_path), []
    made = [composed(of, 0.5, WORDS, None, 61, seed, lambda *each: told.append(each)) for seed in (5, 5, 6)]
    assert made[0].shape == (4, 61)
    assert int(made[0].min()) >= 0
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    steps = told[: len(told) // 3]
    assert steps == [(at, len(steps)) for at in range(1, len(steps) + 1)]


def test_the_tiny_model_is_the_same_each_time() -> None:
    first = {name: hashlib.sha256(data).hexdigest() for name, data in tiny().items()}
    tiny.cache_clear()
    assert {name: hashlib.sha256(data).hexdigest() for name, data in tiny().items()} == first
