"""The bundled entries of these families describe the networks whose files they pin."""

from __future__ import annotations

import pytest

from stemsvc.models.architectures import ARCHITECTURES
from stemsvc.models.catalog import load_catalog
from stemsvc.models.entry import ModelEntry
from workers.engine.families.examine import examined
from workers.engine.families.load import empty_network

ENTRIES = [entry for entry in load_catalog().entries if entry.family in ARCHITECTURES]
# A checkpoint is a zip archive: names, pickled shapes and padding for each tensor beside its bytes.
MOST_BESIDE = 1300


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_pinned_file_has_the_size_of_its_config_s_network(entry: ModelEntry) -> None:
    state = empty_network(entry.hyperparameters).state_dict()
    data = sum(tensor.numel() * tensor.element_size() for tensor in state.values())

    assert len(entry.files) == 1
    assert entry.size is not None
    assert data < entry.size < data + MOST_BESIDE * len(state)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_cost_and_memory_are_as_predicted(entry: ModelEntry) -> None:
    how = entry.hyperparameters
    found = examined(how, empty_network(how))

    assert (entry.cost, entry.memory_mb) == (found["cost"], found["memory_mb"])
    assert len(how.predicted) == len(entry.stems) - (entry.rest is not None)
