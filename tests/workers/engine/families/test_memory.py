"""Memory while a long track is separated: no family holds the track, and none holds a stem."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import pytest

from stemsvc.host.memory import resident
from tests.workers.engine.families.cases import RATE, Sound, bag_of
from tests.workers.engine.families.uvr import mdx_bag, vr_bag
from workers.engine.bag import Bag
from workers.engine.chain import Chain, ChainStep
from workers.engine.separate import Separator

SECONDS = 80
MOST_BYTES = 10_000_000  # three quarters of the mixture would be 21 MB, and so would those of a stem


class Noise:
    """A track that is made while it is read."""

    frames = SECONDS * RATE

    def read(self, start: int, stop: int) -> Sound:
        blocks = [_second(number) for number in range(start // RATE, -(-stop // RATE))]
        return np.concatenate(blocks)[start % RATE :][: stop - start]


@functools.lru_cache(maxsize=16)
def _second(number: int) -> Sound:
    return np.random.default_rng(number).normal(0, 0.1, (RATE, 2)).astype(np.float32)


def alone(bag: Callable[[], Bag]) -> Separator:
    return Separator(bag())


def in_chain() -> Chain:
    first, second = Separator(bag_of("mel_band_roformer")), Separator(bag_of("scnet"))
    return Chain(
        [
            ChainStep([first], [1.0], "average", {"vocals": "vocals"}),
            ChainStep([second], [1.0], "average", {"other": "other"}),
        ]
    )


MADE: dict[str, Callable[[], Separator | Chain]] = {
    **{
        name: functools.partial(alone, functools.partial(bag_of, name))
        for name in ("bs_roformer", "mel_band_roformer", "mdx23c", "scnet", "scnet_tran", "scnet_masked")
    },
    "mdxnet": functools.partial(alone, mdx_bag),
    "vr": functools.partial(alone, functools.partial(vr_bag, "four bands")),
    "chain": in_chain,
}


def measure(name: str, answer: Connection) -> None:
    """Tell the samples of a stem, and by how many bytes the process grew after a quarter of them."""
    held, frames = [0], 0
    for piece in MADE[name]().separate(Noise(), ("vocals",)):
        frames += len(piece["vocals"])
        held.append(resident() or 0)
        if frames < Noise.frames // 4:  # by then all has been made that is made once
            held = [max(held)]
    answer.send((frames, max(held) - held[0]))


@pytest.mark.long
@pytest.mark.parametrize("name", MADE)
def test_memory_does_not_grow_with_the_track(name: str) -> None:
    # given a process of its own: what other tests have left in this one comes and goes
    own = multiprocessing.get_context("spawn")
    heard, told = own.Pipe(duplex=False)
    process = own.Process(target=measure, args=(name, told))
    process.start()
    told.close()
    try:
        frames, grown = heard.recv()
    finally:
        process.join()

    assert frames == Noise.frames
    assert grown < MOST_BYTES
