"""The networks of this process. A model is downloaded and loaded when a job first needs it, one at a time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemsvc.errors import FatalError, TransientError
from stemsvc.host.digest import sha256_of
from stemsvc.host.folders import shared_folder
from stemsvc.host.processor import fast_gains
from stemsvc.host.soundfont import SoundFont
from stemsvc.models.available import Availability
from stemsvc.models.demucs import DEMUCS
from stemsvc.models.entry import ModelEntry
from stemsvc.models.pull import OnPull, Puller, open_puller
from stemsvc.models.source import Weighed, WeightFile
from stemsvc.models.store import WeightStore
from stemsvc.observe import metrics
from stemsvc.observe.loggers import get_logger
from stemsvc.settings import Settings
from workers.engine.converting import OnConvert, unseen
from workers.host import activity

if TYPE_CHECKING:
    from workers.engine.chain import Chain
    from workers.engine.separate import Separator

log = get_logger()
# Called with the bytes that are here and the bytes of the whole file (None: not known).
OnDownload = Callable[[int, int | None], None]


def _digest_of(said: dict[str, Any]) -> str:
    """The hash of what the catalog says of networks, in whatever order a file has it."""
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def quiet(done: int, total: int | None) -> None:
    """Show no progress."""


def _only_what_is_here() -> Puller:
    return Puller(WeightStore(Path("weights")), offline=True)


@dataclass
class Models:
    """The networks used last, kept for the next job of this process."""

    threads: int = 0  # of a CPU; 0: one for each core
    cache: Path | None = None  # folder for converted networks
    puller: Puller = field(default_factory=_only_what_is_here)
    soundfont: SoundFont | None = None  # the instruments of the embedded composer
    _digests: dict[tuple[str, int, int], str] = field(default_factory=dict)  # of files without a known hash
    _loaded: dict[tuple[str, str, str], Separator | Chain] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Models:
        """Made by the settings."""
        return cls(
            settings.threads, settings.resolved_cache_dir, open_puller(settings), SoundFont.at(settings.soundfont)
        )

    def digests(self, entry: ModelEntry) -> list[str] | None:
        """The sha256 of each of the model's files, and of its config; None while one of them can't be known."""
        found = [self._digest(file) for file in entry.files]
        described = {part.name: part.config for part in (entry, *entry.parts.values()) if part.config is not None}
        steps = [step.model_dump() for step in entry.steps]
        said = [_digest_of({"configs": described, "steps": steps})] if described or steps else []
        return [*(digest for digest in found if digest), *said] if all(found) else None

    def _digest(self, file: WeightFile) -> str | None:
        if (digest := self.puller.store.digest(file)) is not None:
            return digest
        place = self.puller.store.place(file)
        if file.pickled or not place.is_file():
            return None
        stamp = place.stat()
        known = (str(place), stamp.st_mtime_ns, stamp.st_size)
        if known not in self._digests:
            self._digests[known] = sha256_of(place)
        return self._digests[known]

    def lacking(self, entry: Weighed, on_download: OnDownload = quiet) -> str | None:
        """Why the entry's weights can't be had; None where its networks are loaded, or the weights here or fetched now.

        `on_download` is called with bytes done and bytes in all; what it raises passes.
        """
        if any(name == entry.name for name, _, _ in self._loaded):
            return None
        return Availability(self.puller).lacking(entry, lambda file, done, total: on_download(done, total))

    def compile_beside(self, entry: ModelEntry, device: str, precision: str) -> None:
        """Begin to compile the entry's network for a CPU, where its conversion lies here and `get` will ask for it."""
        from workers.engine.kept import compile_beside

        exact = device == "cpu" and not (precision == "fast" and fast_gains(device))
        if self.cache is None or not exact or entry.family not in DEMUCS or len(entry.files) != 1 or entry.steps:
            return
        compile_beside(self.cache, self.puller.store.place(entry.files[0]), self.threads)

    def _paths(self, entry: ModelEntry, on_pull: OnPull) -> dict[str, list[Path]]:
        """The files of each part. A failure is remembered: for a while no job that is free to choose gets the model."""
        try:
            return {part.name: self.puller.ensure(part, on_pull) for part in (entry.parts.values() or [entry])}
        except (FatalError, TransientError) as error:
            Availability(self.puller).remember(entry, error.detail)
            raise

    def get(
        self,
        entry: ModelEntry,
        device: str,
        precision: str,
        stems: tuple[str, ...] = (),
        on_download: OnDownload = quiet,
        on_convert: OnConvert = unseen,
    ) -> Separator | Chain:
        """The entry's networks on `device`; those that `stems` need are ready to run.

        Another model that was loaded before is dropped, so that memory holds one model. Missing weights are
        downloaded; `on_download` is called with bytes done and bytes in all. Networks are converted for a CPU once;
        `on_convert` is called with steps done and steps in all. Raises what `Puller.ensure` and `load` raise.
        """
        from workers.engine.chain import assemble
        from workers.engine.families.load import load
        from workers.engine.separate import Separator

        def downloading(file: WeightFile, done: int, total: int | None) -> None:
            on_download(done, total)

        key = (entry.name, device, precision)
        start = time.perf_counter()
        fresh = key not in self._loaded
        if fresh:
            for model, where, _ in self._loaded:
                metrics.model_dropped(model, where)
            self._loaded.clear()
            activity.holds([])
            before = _memory(device)
            paths = self._paths(entry, downloading)
            if self.cache is not None:
                with contextlib.suppress(OSError):  # nothing is kept where nothing can be written
                    shared_folder(self.cache)

            def loaded(part: ModelEntry) -> Separator:
                bag = load(part, paths[part.name])
                return Separator(bag, device, precision, threads=self.threads, cache=self.cache)

            self._loaded[key] = assemble(entry, loaded) if entry.steps else loaded(entry)
        separator = self._loaded[key]
        separator.load(stems, on_convert)
        if fresh:
            seconds, taken = time.perf_counter() - start, max(0, _memory(device) - before)
            activity.holds([entry.name])
            metrics.model_loaded(entry.name, device, seconds, taken)
            log.info("model loaded", model=entry.name, device=device, seconds=round(seconds, 2), mb=taken >> 20)
        return separator


def _memory(device: str) -> int:
    """Bytes that this process holds now: on a card those of torch's tensors, on the machine all of them."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.memory_allocated(device))
    with contextlib.suppress(OSError):  # only Linux tells what is held now
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
