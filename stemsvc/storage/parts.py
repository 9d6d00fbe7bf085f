"""Objects that come in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stemsvc.errors import UploadIncomplete
from stemsvc.storage.base import Storage

PARTS = ".part-"  # between a key and the number of a part


def part_key(key: str, number: int) -> str:
    """The key of a part of an object."""
    return f"{key}{PARTS}{number:05d}"


def part_number(key: str, of: str) -> int | None:
    """Which part of the object a key is that of; None where it is none."""
    number = of.removeprefix(f"{key}{PARTS}")
    return int(number) if number != of and number.isascii() and number.isdigit() and len(number) == 5 else None


def lacking_parts(found: Mapping[int, int], sizes: Sequence[int]) -> list[int]:
    """The numbers of the parts that are not there, or have another size."""
    return [number for number, size in enumerate(sizes, 1) if found.get(number) != size]


def are_whole(storage: Storage, key: str, found: Mapping[int, int], sizes: Sequence[int]) -> bool:
    """Whether all parts are there; False where somebody else has joined them meanwhile.

    Raises `UsageError` `upload_incomplete` where one lacks.
    """
    lacking = lacking_parts(found, sizes)
    if not lacking:
        return True
    if storage.size(key) == sum(sizes):
        return False
    raise UploadIncomplete(f"{len(lacking)} of {len(sizes)} parts did not come: send them first")
