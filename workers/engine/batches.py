"""How many segments a device takes at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

MAX_BATCH = 16  # a batch of 8 fills an H100 or H200 with work; more only delays progress and cancel
MEMORY_SHARE = 0.8  # of the device's free memory


@dataclass
class BatchSize:
    """How many segments of each network fit the device. The first batch shows it, and batches that do not fit."""

    device: str
    _sizes: dict[int, int] = field(default_factory=dict)

    def size(self, member: int) -> int:
        """Segments for the next batch. A CPU gains nothing from more than one."""
        return self._sizes.get(member, 1)

    @property
    def largest(self) -> int:
        """The most segments that a batch holds."""
        return max(self._sizes.values(), default=1)

    def shrink(self, member: int, size: int) -> None:
        """Use at most `size` segments from now on: a larger batch did not fit."""
        self._sizes[member] = max(1, min(size, self.size(member)))
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def measured(self, member: int, batch: int) -> _Measured:
        """A context around a batch. It measures the memory of a network's first batch on CUDA, and nothing else."""
        return _Measured(self, member, batch)


class _Measured:
    """Learns from a network's first batch on CUDA how many segments the free memory holds."""

    def __init__(self, sizes: BatchSize, member: int, batch: int) -> None:
        self._sizes, self._member, self._batch = sizes, member, batch
        self._watch = sizes.device.startswith("cuda") and member not in sizes._sizes

    def __enter__(self) -> None:
        if self._watch:
            torch.cuda.synchronize(self._sizes.device)
            torch.cuda.reset_peak_memory_stats(self._sizes.device)
            self._before = torch.cuda.memory_allocated(self._sizes.device)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._watch and kind is None:
            device = self._sizes.device
            torch.cuda.synchronize(device)
            used = (torch.cuda.max_memory_allocated(device) - self._before) / self._batch
            cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
            free = (torch.cuda.mem_get_info(device)[0] + cached) * MEMORY_SHARE
            self._sizes._sizes[self._member] = max(1, min(MAX_BATCH, int(free / max(used, 1.0))))


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, so that a smaller batch may succeed."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
