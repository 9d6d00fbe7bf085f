"""From a file on disk to encoded stems on disk: decode, separate, encode. Knows no job, no store and no storage.

Decoded audio lies on the scratch disk and is read segment by segment. Finished samples go straight to the encoders,
which run beside the network. Memory does not grow with the track.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stemsvc.host.processor import instruction_set
from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.filenames import without_ending
from stemsvc.jobs.titles import stem_title
from stemsvc.jobs.warnings import FULL_PRECISION, JobWarning
from stemsvc.kinds.separate.kind import SeparateParams
from stemsvc.kinds.separate.stems import MINUS, find, needed
from stemsvc.models.entry import ModelEntry
from workers.audio.decode import Limits
from workers.audio.decode_process import decode_apart
from workers.audio.encode import Encoded, Encoder
from workers.audio.rate import RateConverter, resample_track
from workers.audio.tags import NONE, Tags
from workers.audio.track import CHANNELS, FRAME_BYTES, Track
from workers.audio.writers import Writers
from workers.host.models import Models
from workers.host.scratch import check_room
from workers.kinds.base import MadeFile
from workers.kinds.separate.previews import Previewed, Previews, cover_of

# Called with the stage's name and, while separating, finished and all segments. What it raises ends the job.
OnProgress = Callable[[str, int, int], None]
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Separated:
    """The decoded track, and the files made from it by the names of `planned`.

    `named` says whether the files' titles are made from the track's name, because its tags have no title.
    """

    track: Track
    outputs: dict[str, Encoded]
    named: bool = False
    previews: dict[str, MadeFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Planned:
    """A file to write: an output in one format."""

    output: str
    encoding: Encoding


def planned(params: SeparateParams, encoding: Encoding) -> dict[str, Planned]:
    """The files of a separation by their names in the job's `files`: each output in each of the formats."""
    both = [(output, each) for output in params.outputs for each in encoding.each]
    return {encoding.file_key(output, each.format): Planned(output, each) for output, each in both}


def separate_file(
    source: Path,
    folder: Path,
    params: SeparateParams,
    encoding: Encoding,
    entry: ModelEntry,
    device: str,
    models: Models,
    limits: Limits,
    on_progress: OnProgress,
    computing: Callable[[Track], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    name: str = "",
    preview: str | None = None,
) -> Separated:
    """Write `<output>.<extension>` for every requested output, in each format, into `folder`.

    The files carry the track's tags and cover, if the encoding says so; `name` is the track's name. `preview` is the
    codec of the previews beside them, `off` for peaks alone, None for nothing.
    Outputs have the exact length of the track or of the part that `params` names, and the source's rate unless the
    encoding names one. `computing` is entered while the device computes: jobs that share the device wait there. Raises
    what the decoder, the engine and the encoders raise, and `TransientError` `scratch_full` before the disk is full.
    """
    on_progress("decoding", 0, 0)
    spool = folder / "decoded.f32"
    track = decode_apart(source, spool, limits, lambda: on_progress("decoding", 0, 0), params.part)
    needed_bytes = _files_bytes(track, params, encoding, entry) + limits.min_free_bytes
    check_room(folder, needed_bytes)
    mixture = resample_track(track, entry.sample_rate, folder / "resampled.f32")
    on_progress("loading", 0, 0)
    stems = needed(params.stems, entry.stems)
    separator = models.get(
        entry,
        device,
        params.separation.precision,
        stems,
        lambda done, total: on_progress("downloading", done, total or 0),
        lambda done, total: on_progress("converting", done, total),
    )
    if params.separation.precision == "fast" and not separator.runs_fast(stems):
        track = replace(track, warnings=(*track.warnings, _full_precision(entry, device)))
    mixing = _Mixing(_heard(track, params, encoding, folder), entry, params, stems)
    rate = encoding.sample_rate or track.sample_rate
    channels = 1 if params.channels == "source" and track.channels == 1 else CHANNELS
    files = planned(params, encoding)
    outputs = {key: each.output for key, each in files.items()}
    make = {key: _maker(folder, rate, each, _tags(track, name, params, each), channels) for key, each in files.items()}
    previewed = Previewed(params.outputs, rate, mixing.frames, channels)
    with Writers(make, outputs) as writers, Previews(folder, previewed, preview, needed_bytes) as previews:

        def write(pieces: dict[str, Sound]) -> None:
            writers.write(pieces)
            previews.write(pieces)

        with computing(track):
            on_progress("separating", 0, 1)
            pieces = separator.separate(
                mixture, stems, params.separation, lambda done, total: on_progress("separating", done, total)
            )
            with contextlib.closing(pieces):
                for piece in pieces:
                    write(mixing.mix(piece))
        on_progress("encoding", 1, 1)
        write(mixing.rest())
        outputs_made = writers.close()
        shown = {} if preview is None else {**previews.close(), **cover_of(track)}
        return Separated(track, outputs_made, encoding.tags and not track.tags.title, shown)


def _full_precision(entry: ModelEntry, device: str) -> JobWarning:
    """A job that asked for `fast` was computed in full precision."""
    why = f"{entry.name} gains nothing by `fast` on this {device} ({instruction_set()}), so it ran in full precision"
    return JobWarning(FULL_PRECISION, why)


def _files_bytes(track: Track, params: SeparateParams, encoding: Encoding, entry: ModelEntry) -> int:
    """Bytes that the files made from a decoded track may take on disk."""
    copy = FRAME_BYTES if track.sample_rate != entry.sample_rate else 0
    rate = encoding.sample_rate or track.sample_rate
    each = FRAME_BYTES if encoding.bit_depth == "float32" else FRAME_BYTES * 3 // 4  # 24 bits; lossy files are smaller
    heard = FRAME_BYTES if rate != track.sample_rate else 0
    count = len(params.outputs) * len(encoding.each)
    covers = count * track.tags.cover.path.stat().st_size if track.tags.cover and encoding.tags else 0
    files = round(track.seconds * rate) * (heard + each * count)
    return round(track.seconds * entry.sample_rate) * copy + files + covers


def _maker(folder: Path, rate: int, file: Planned, tags: Tags, channels: int) -> Callable[[], Encoder]:
    path, how = folder / f"{file.output}.{file.encoding.extension}", file.encoding
    return lambda: Encoder(path, rate, how.format, how.bit_depth, tags, channels)


def _tags(track: Track, name: str, params: SeparateParams, file: Planned) -> Tags:
    """The tags of a file: the track's, under a title that names the stem."""
    if not file.encoding.tags:
        return NONE
    title = track.tags.title or without_ending(name)
    template = file.encoding.title_template
    return track.tags.titled(stem_title(title, file.output, params.model, template) if title else "")


def _heard(track: Track, params: SeparateParams, encoding: Encoding, folder: Path) -> Track:
    """The track at the outputs' rate. Its samples are converted only if an output is made from the mixture itself."""
    rate = encoding.sample_rate or track.sample_rate
    mixed = params.residual or any(name.startswith(MINUS) for name in params.stems)
    if mixed or rate == track.sample_rate:
        return resample_track(track, rate, folder / "heard.f32")
    return replace(track, sample_rate=rate, frames=round(track.frames * rate / track.sample_rate))


class _Mixing:
    """Turns pieces of stems at the model's rate into pieces of the outputs at the outputs' rate."""

    def __init__(self, mixture: Track, entry: ModelEntry, params: SeparateParams, stems: tuple[str, ...]) -> None:
        self._track = mixture
        self._outputs = [find(name, entry.stems) for name in params.stems]
        self._residual = params.residual
        self._converters = {stem: RateConverter(entry.sample_rate, mixture.sample_rate) for stem in stems}
        self._at = 0

    @property
    def frames(self) -> int:
        """Samples of each output."""
        return self._track.frames

    def mix(self, piece: dict[str, Sound]) -> dict[str, Sound]:
        """The outputs' next samples [n, 2]."""
        return self._mix({stem: self._converters[stem].convert(samples) for stem, samples in piece.items()})

    def rest(self) -> dict[str, Sound]:
        """The outputs' last samples, up to the source's exact length."""
        return self._mix({stem: converter.finish(self._track.frames) for stem, converter in self._converters.items()})

    def _mix(self, stems: dict[str, Sound]) -> dict[str, Sound]:
        count = min(len(next(iter(stems.values()))), self._track.frames - self._at)
        stems = {stem: samples[:count] for stem, samples in stems.items()}
        needs_mixture = self._residual or any(output.from_mixture for output in self._outputs)
        mixture = self._track.read(self._at, self._at + count) if needs_mixture and count else None
        self._at += count
        mixed: dict[str, Sound] = {}
        for output in self._outputs:
            if output.from_mixture:
                mixed[output.name] = _less(mixture, [stems[stem] for stem in output.taken])
            else:
                first, *others = (stems[stem] for stem in output.added)
                mixed[output.name] = sum(others, first)
        if self._residual:
            mixed["residual"] = _less(mixture, list(mixed.values()))
        return mixed


def _less(mixture: Sound | None, parts: list[Sound]) -> Sound:
    """The mixture minus the parts; no samples if there is no mixture."""
    if mixture is None:
        return np.zeros((0, 2), np.float32)
    for part in parts:
        mixture = mixture - part
    return mixture
