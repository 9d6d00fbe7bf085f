"""What a job can return: stems, and "everything but" a stem in two forms.

`vocals` is the stem itself. `no_vocals` is the sum of all other stems, as upstream's two-stem mode writes it.
`minus_vocals` is the mixture less the vocals: it keeps whatever the model gave to no stem, and needs the work of one
stem only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stemsvc.errors import OverlappingStems, UnknownStem

NO, MINUS = "no_", "minus_"
DRUMS = "drums"


@dataclass(frozen=True)
class Output:
    """One file: the sum of `added` stems, or with `from_mixture` the mixture less `taken`."""

    name: str
    added: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    from_mixture: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The stems that must be separated for it."""
        return self.added or self.taken

    def covers(self, stems: tuple[str, ...]) -> frozenset[str]:
        """The stems of the model that are heard in it."""
        return frozenset(self.added) if self.added else frozenset(stems) - frozenset(self.taken)


def names(stems: tuple[str, ...]) -> tuple[str, ...]:
    """Every output that a model of these stems can return, in the order in which they are returned."""
    if len(stems) < 2:
        return stems
    return (*stems, *(NO + stem for stem in stems), *(MINUS + stem for stem in stems))


def find(name: str, stems: tuple[str, ...]) -> Output:
    """The output of that name; raises `UsageError` `unknown_stem`."""
    if name in stems:
        return Output(name, added=(name,))
    if name in names(stems):
        if name.startswith(NO):
            return Output(name, added=tuple(stem for stem in stems if NO + stem != name))
        return Output(name, taken=(name.removeprefix(MINUS),), from_mixture=True)
    every = f"{', '.join(stems)}, and each of them with {NO} or {MINUS} before it"
    raise UnknownStem(f"the model has no {name!r}; it has {every}")


def choose(wanted: tuple[str, ...], stems: tuple[str, ...], residual: bool = False) -> tuple[str, ...]:
    """The wanted outputs, in the model's order; all stems where none is named.

    With a residual the outputs may not overlap, so that all files together are the mixture. Raises `UsageError`
    `unknown_stem` or `overlapping_stems`.
    """
    wanted = tuple(dict.fromkeys(wanted))
    covered = [stem for name in wanted for stem in find(name, stems).covers(stems)]
    if residual and len({*covered}) < len(covered):
        raise OverlappingStems("with `residual` the files must add up to the mixture, but these share a stem")
    order = names(stems)
    return tuple(sorted(wanted, key=order.index)) or stems


def needed(outputs: tuple[str, ...], stems: tuple[str, ...]) -> tuple[str, ...]:
    """The stems that must be separated for these outputs, in the model's order."""
    wanted = {stem for name in outputs for stem in find(name, stems).needs}
    return tuple(stem for stem in stems if stem in wanted)


def without_drums(files: Iterable[str]) -> list[str]:
    """Those files of a separation that together are the song without its drums; none where some are missing.

    Key and chords are heard best in them. Of an output in several formats the first counts.
    """
    found: dict[str, str] = {}
    for file in files:
        found.setdefault(file.partition(".")[0], file)
    if whole := [found[name] for name in (MINUS + DRUMS, NO + DRUMS) if name in found]:
        return whole[:1]
    parts = [name for name in found if name != DRUMS and name != "residual" and not name.startswith((NO, MINUS))]
    return [found[name] for name in parts] if "bass" in parts and len(parts) > 1 else []
