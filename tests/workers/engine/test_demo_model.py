"""The bundled model keeps what its card promises."""

from __future__ import annotations

import numpy as np
import pytest

from stemsvc.models.catalog import DEMO_WEIGHTS
from tests.bench.demo_model import score
from training.dataset import HELD_OUT, SAMPLE_SEED, TRAINING_SEED


@pytest.mark.long
def test_songs_that_were_never_trained_on_are_separated() -> None:
    # given half of the 20 songs, of seeds below the first that training uses
    assert len(HELD_OUT) == 20
    assert max(*HELD_OUT, SAMPLE_SEED) < TRAINING_SEED

    table = score(HELD_OUT[::2], seconds=8.0)

    improvements = {stem: gained for stem, (_, gained) in table.items()}
    assert np.mean(list(improvements.values())) >= 10, improvements
    assert min(improvements.values()) >= 6, improvements


def test_the_weights_are_small_enough_to_ship() -> None:
    assert DEMO_WEIGHTS.stat().st_size <= 8 * 1024 * 1024
