"""Which devices torch finds."""

from __future__ import annotations

import pytest
import torch

from workers.host.accelerators import find_devices


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [
        (0, False, ["cpu"]),
        (1, False, ["cuda", "cpu"]),
        (2, False, ["cuda:0", "cuda:1", "cpu"]),
        (0, True, ["mps", "cpu"]),
    ],
)
def test_the_best_come_first(cuda: int, mps: bool, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    assert find_devices() == expected
