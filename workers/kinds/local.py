"""A kind's work in this process, without a job: what commands as `stemsvc mix` run."""

from __future__ import annotations

import hashlib
import pkgutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemsvc.errors import MissingPackages
from stemsvc.host.soundfont import SoundFont
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.filenames import clean_filename
from stemsvc.jobs.warnings import JobWarning
from stemsvc.kinds.registry import AnyKind
from stemsvc.models.catalog import Catalog, load_catalog
from stemsvc.settings import Settings
from workers.audio.decode import Limits
from workers.host.blas import one_blas_thread
from workers.kinds.base import ChooseOutputs, LocalInput, Made

if TYPE_CHECKING:
    from workers.host.models import Models

DIGESTS_AT_ONCE = 2  # a machine has about so many cores for it


@dataclass(frozen=True)
class LocalAttempt:
    """`workers.kinds.base.Attempt` for one run of a command. `show` gets the stage, and what is done of how much."""

    folder: Path
    encoding: Encoding
    catalog: Catalog
    limits: Limits
    settings: Settings
    show: Callable[[str, int, int], None]
    device: str = "cpu"
    number: int = 1
    preview: str = "off"  # nobody plays them
    warnings: list[JobWarning] = field(default_factory=list)
    taken: list[Any] = field(default_factory=list)  # params that the work took instead of those it got

    @property
    def models(self) -> Models:
        """See the protocol."""
        from workers.host.models import Models  # torch, which most kinds don't need

        return Models.of(self.settings)

    @property
    def soundfont(self) -> SoundFont | None:
        """See the protocol."""
        return SoundFont.at(self.settings.soundfont)

    def report(self, stage: str, done: int = 0, of: int = 0) -> None:
        """See the protocol."""
        self.show(stage, done, of)

    def warn(self, code: str, detail: str) -> None:
        """See the protocol."""
        self.warnings.append(JobWarning(code, detail))

    def take_instead(self, params: Any, code: str, detail: str) -> None:
        """See the protocol."""
        self.taken.append(params)
        self.warn(code, detail)

    def earlier(self, kind: str, source: LocalInput, choose: ChooseOutputs) -> list[LocalInput]:
        """See the protocol: a command knows no jobs."""
        return []

    def computing(self, seconds: float) -> AbstractContextManager[None]:
        """See the protocol: nobody else waits for the device, and no limit holds."""
        return nullcontext()


@dataclass(frozen=True)
class Ran:
    """What the work made, and its warnings. The files are gone when the context ends."""

    made: Made
    warnings: tuple[JobWarning, ...]


@contextmanager
def ran(
    kind: AnyKind,
    params: Any,
    files: Sequence[tuple[str, Path]],
    encoding: Encoding,
    settings: Settings,
    show: Callable[[str, int, int], None],
) -> Iterator[Ran]:
    """Do the work of a kind on files, each with its role. `params` are checked. Raises what the work does."""
    with ThreadPoolExecutor(DIGESTS_AT_ONCE) as pool:
        digests = pool.map(_digest, (path for _, path in files))
        inputs = [
            LocalInput(path, clean_filename(path.name), role, digest)
            for (role, path), digest in zip(files, digests, strict=True)
        ]
    with tempfile.TemporaryDirectory(prefix="stemsvc-") as folder:
        catalog = load_catalog(settings.catalog, settings.default_model, accepted=settings.licences)
        limits = Limits(settings.max_duration_seconds)
        attempt = LocalAttempt(Path(folder), encoding, catalog, limits, settings, show)
        yield Ran(do_work(kind, params, inputs, attempt), tuple(attempt.warnings))


def do_work(kind: AnyKind, params: Any, inputs: Sequence[LocalInput], attempt: LocalAttempt) -> Made:
    """What the kind's work makes of the inputs. Raises what it does, `FatalError` `missing_packages`."""
    if lacking := kind.lacking():
        raise MissingPackages(f"{kind.name} needs {', '.join(lacking)}, which is not installed here")
    work = pkgutil.resolve_name(kind.work)  # its import loads the libraries whose threads are limited
    with one_blas_thread():
        made: Made = work(params, inputs, attempt)
    return made


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
