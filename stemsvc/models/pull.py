"""Makes sure that a model's weights are on this machine: checks them, and fetches those that are missing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stemsvc.errors import (
    CacheFull,
    FatalError,
    RevisionGone,
    StemsvcError,
    TransientError,
    WeightsChanged,
    WeightsCorrupt,
    WeightsDenied,
    WeightsMissing,
    WeightsNotFound,
    WeightsUnavailable,
    WeightsUnpinned,
)
from stemsvc.host.digest import sha256_of
from stemsvc.models import transfer
from stemsvc.models.convert import convert
from stemsvc.models.hub import GONE, HubMetadata
from stemsvc.models.lock import Locked
from stemsvc.models.source import F, Weighed, WeightFile
from stemsvc.models.store import State, WeightStore
from stemsvc.observe.loggers import get_logger

if TYPE_CHECKING:
    from stemsvc.settings import Settings

log = get_logger()
T = TypeVar("T")
PAUSES = (2.0, 4.0, 8.0)  # seconds before each further try
JITTER = 0.25  # share of a pause that is random, so that ten workers do not come back together
LONGEST_PAUSE = 120.0  # however long a server asks us to stay away
WHOLE_TRIES = 2  # how often all bytes are fetched while those that come are wrong

# Called with the file, the bytes that are here and the bytes of the whole file (None: not known).
OnPull = Callable[[WeightFile, int, int | None], None]


def silent(file: WeightFile, done: int, total: int | None) -> None:
    """Show no progress."""


class Puller:
    """Fetches weights into a store. `offline` never uses the network; `pauses` are between tries, in seconds."""

    def __init__(self, store: WeightStore, *, offline: bool = False, pauses: Sequence[float] = PAUSES) -> None:
        self.store = store
        self.metadata = HubMetadata(store.folder / "hub.json")
        self.offline = offline
        self._pauses = pauses

    def ensure(self, entry: Weighed, on_pull: OnPull = silent) -> list[Path]:
        """The paths of the model's safetensors files, every byte checked; missing and damaged files are fetched.

        Raises `FatalError` `weights_missing` (offline), `weights_corrupt`, `weights_changed`, `weights_unpinned`,
        `revision_gone`, `weights_not_found`, `weights_denied`, `weights_refused`, `cache_read_only`; `TransientError`
        `weights_unavailable`, `cache_full`.
        """
        if entry.deprecated:
            log.warning("deprecated model", model=entry.name, why=entry.deprecated, instead=entry.fallback)
        if not entry.files:
            raise WeightsUnpinned(nothing_pinned(entry))
        try:
            return [self._file(file, on_pull) for file in entry.files]
        except (FatalError, TransientError) as error:
            raise error.saying(_advised(entry, error)) from error

    def look(self, file: WeightFile) -> transfer.Seen:
        """What the hub says of the file now.

        Raises `FatalError` where the file can't be had, `TransientError` `weights_unavailable`.
        """
        return self._patiently(file, lambda: self._asked(file))

    def fetch_unpinned(self, file: WeightFile) -> Locked:
        """Fetch a file without a known hash, to learn its hash and size; the file is not kept."""
        with self.store.writing(file, file.label, lambda: None), self.store.guarded(file.label):
            part = self.store.part(file)
            try:
                part.unlink(missing_ok=True)
                self._patiently(file, lambda: transfer.download(file, part, file.size, lambda done, total: None))
                return Locked(sha256=sha256_of(part), size=part.stat().st_size)
            finally:
                part.unlink(missing_ok=True)

    def adopt(self, file: F, on_pull: OnPull = silent) -> tuple[F, Path]:
        """The file with the hash and size that it has now, and its safetensors file, which is here from then on.

        Raises what `ensure` raises.
        """
        if file.path is not None:
            try:
                pinned = file.model_copy(update={"sha256": sha256_of(file.path), "size": file.path.stat().st_size})
            except OSError as error:
                raise WeightsMissing(f"{file.path} can't be read: {error.strerror}") from error
            return pinned, self._file(pinned, on_pull)
        if self.offline:
            raise WeightsMissing(f"STEMSVC_OFFLINE is set: {file.label} can't be fetched")
        with self.store.writing(file, file.label, lambda: None), self.store.guarded(file.label):
            part = self.store.part(file)
            progress = lambda done, total: on_pull(file, done, total)  # noqa: E731 - its type is inferred
            self._patiently(file, lambda: transfer.download(file, part, file.size, progress))
            pinned = file.model_copy(update={"sha256": sha256_of(part), "size": part.stat().st_size})
            part.replace(self.store.part(pinned))
        return pinned, self._file(pinned, on_pull)

    def _file(self, file: WeightFile, on_pull: OnPull) -> Path:
        place = self.store.place(file)
        state = self.store.check(file)
        if state is State.HERE:
            return place
        if file.path is not None and not file.pickled:
            raise _of_ones_own(file, place, state)
        if file.path is None:
            self._may_pull(file, state)
        with self.store.writing(file, file.label, lambda: on_pull(file, 0, file.size)) as waited:
            if waited:
                state = self.store.check(file)
                if state is not State.HERE:  # who waits hears once more before the work is its own
                    on_pull(file, 0, file.size)
            if state is State.CORRUPT:
                log.warning("damaged weights moved aside", file=str(place), to=str(self.store.set_aside(file)))
            if state is not State.HERE:
                self._bring(file, on_pull)
        return place

    def _may_pull(self, file: WeightFile, state: State) -> None:
        if self.offline:
            word = "are damaged" if state is State.CORRUPT else "are not"
            lacking = WeightsCorrupt if state is State.CORRUPT else WeightsMissing
            raise lacking(
                f"the weights {file.label} {word} on this machine, and STEMSVC_OFFLINE is set. Fill the folder "
                f"{self.store.folder} with `stemsvc models pull` on a machine that has a network, and copy it here",
            )
        if file.sha256 is None:
            raise WeightsUnpinned(
                f"nothing says what {file.label} must be: give its sha256 in the catalog, or let "
                "`stemsvc models lock` write a lock file and review it",
            )

    def _bring(self, file: WeightFile, on_pull: OnPull) -> None:
        if file.path is not None:
            self._convert(file, file.path)
            return
        part = self.store.part(file)
        try:
            with self.store.guarded(file.label):
                self._download(file, part, on_pull)
        except StemsvcError as error:
            resumable = isinstance(error, TransientError) and not isinstance(
                error, CacheFull
            )  # a part on a full disk makes room
            if not resumable or (part.exists() and not part.stat().st_size):
                part.unlink(missing_ok=True)
            raise
        if file.pickled:
            self._convert(file, part)
            part.unlink(missing_ok=True)
        else:
            self.store.take(file, part)

    def _download(self, file: WeightFile, part: Path, on_pull: OnPull) -> None:
        """Fetch all bytes of the file into `part` and check their hash."""
        whole_tries = WHOLE_TRIES
        while True:
            fresh = not part.exists()
            try:
                self._patiently(file, lambda: self._once(file, part, on_pull))
                return
            except transfer.Damaged as damage:
                part.unlink(missing_ok=True)
                whole_tries -= fresh  # a part from several tries may mix several files: that try does not count
                if whole_tries <= 0:
                    raise WeightsCorrupt(
                        f"{file.label} is not what the catalog says, however often it is fetched: {damage}",
                    ) from damage
                log.warning("wrong weights came, fetching them again", file=file.label, why=str(damage))

    def _patiently(self, file: WeightFile, do: Callable[[], T]) -> T:
        """Call `do`, and again after each pause while it raises a `TransientError` other than `cache_full`."""
        for pause in self._pauses:
            try:
                return do()
            except CacheFull:
                raise
            except TransientError as error:
                seconds = min(max(pause, error.retry_after or 0.0), LONGEST_PAUSE)
                seconds *= (
                    random.uniform(1, 1 + 2 * JITTER) if error.retry_after else random.uniform(1 - JITTER, 1 + JITTER)
                )
                log.warning("weights did not come, trying again", why=error.detail, pause=round(seconds, 1))
                time.sleep(seconds)
        return do()

    def _once(self, file: WeightFile, part: Path, on_pull: OnPull) -> None:
        size = file.size
        if file.hub:
            known = self.metadata.get(file)
            seen = known.seen if known else None
            if seen is None or seen.sha256 not in (None, file.sha256):  # the kept answer may be out of date
                seen = self._asked(file)
            if seen.sha256 not in (None, file.sha256):
                raise WeightsChanged(
                    f"the hub's weights {file.label} are not those of the catalog: sha256 "
                    f"{seen.sha256}, not {file.sha256}",
                )
            size = size or seen.size
        here = part.stat().st_size if part.exists() else 0
        self.store.check_room(max(0, (size or 0) - here), file.label)
        transfer.download(file, part, size, lambda done, total: on_pull(file, done, total))
        found = sha256_of(part)
        if found != file.sha256:
            raise transfer.Damaged(f"its sha256 is {found}, not {file.sha256}")

    def _asked(self, file: WeightFile) -> transfer.Seen:
        known = self.metadata.ask(file)
        if known.seen is None:
            raise _refusal(file, known.refusal)
        return known.seen

    def _convert(self, file: WeightFile, source: Path) -> None:
        try:
            found = sha256_of(source)
        except OSError as error:
            raise WeightsMissing(f"{source} can't be read: {error.strerror}") from error
        if file.sha256 not in (None, found):
            raise WeightsCorrupt(f"{source} is not what the catalog says: its sha256 is {found}")
        target = self.store.part(file).with_suffix(".safetensors")
        try:
            convert(source, target)
            self.store.take_converted(file, target, found)
        finally:
            target.unlink(missing_ok=True)


def _of_ones_own(file: WeightFile, place: Path, state: State) -> StemsvcError:
    if state is State.MISSING:
        return WeightsMissing(f"{place} does not exist, but the catalog names it")
    return WeightsCorrupt(f"{place} is not what the catalog says: its sha256 is {sha256_of(place)}")


def _refusal(file: WeightFile, code: str) -> StemsvcError:
    if code == RevisionGone.code:
        return RevisionGone(f"{file.hub} has no revision {file.revision} any more")
    if code == WeightsNotFound.code:
        return WeightsNotFound(f"{file.label} is no longer there")
    return WeightsDenied(f"{file.label} is refused: {transfer.HUB_TOKEN_ADVICE}")


def _advised(entry: Weighed, error: FatalError | TransientError) -> str:
    """The error's detail, and what to do where the model can't be had."""
    detail = error.detail
    if entry.fallback and isinstance(error, (*GONE, WeightsChanged)):
        detail += f". Take the model `{entry.fallback}` instead, or pin another revision with STEMSVC_CATALOG"
    if isinstance(error, WeightsUnavailable):
        detail += (
            ". Connect this machine to the network, or copy a folder of weights to it (`stemsvc models path`) that "
            f"holds {entry.name}; the model `demo` needs no network"
        )
    return f"{entry.name}: {detail}"


def nothing_pinned(entry: Weighed) -> str:
    """What to do about an entry that names no files yet."""
    return (
        f"nothing says what the files of {entry.name} must be: `stemsvc models add` asks its repository, and writes "
        "their hashes into STEMSVC_CATALOG for review"
    )


def open_puller(settings: Settings) -> Puller:
    """A puller into the folder that the settings name."""
    return Puller(WeightStore(settings.weights_dir), offline=settings.offline, pauses=PAUSES)
