"""How a job's audio files are written: formats, bit depth, sample rate, names, tags. Every kind of audio uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from stemsvc.errors import ImpossibleFormat, TooManyOutputs

# Formats and the bit depths that each can carry, the default first. Lossy codecs have no bit depth.
FORMATS: dict[str, tuple[str, ...]] = {
    "wav": ("16", "24", "float32"),
    "flac": ("16", "24"),
    "mp3": (),
    "aac": (),
    "opus": (),
}
CONTENT_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "aac": "audio/mp4",
    "opus": "audio/ogg",
}
EXTENSIONS = {"wav": "wav", "flac": "flac", "mp3": "mp3", "aac": "m4a", "opus": "opus"}
_LOSSY_BITS = {"mp3": 320_000, "aac": 256_000, "opus": 192_000}  # a second
MOST_FILES = 64  # of one job: each has an encoder of its own that runs beside the others


@dataclass(frozen=True)
class Encoding:
    """How to write a job's files. `check_formats` checks it before a job exists."""

    format: str = "flac"
    bit_depth: str | None = None  # "16", "24" or "float32"; None for lossy formats
    sample_rate: int | None = None  # Hz; the source's where None
    filename_template: str = ""  # see `stemsvc.jobs.filenames`
    tags: bool = True  # whether the files carry the tags and the cover of the track
    title_template: str = ""  # of the files' titles; see `stemsvc.jobs.titles`
    formats: tuple[str, ...] = ()  # all formats of a job that has several, `format` the first; else empty

    @property
    def each(self) -> tuple[Encoding, ...]:
        """How to write each format's files: one or several encodings that have one format."""
        formats = self.formats or (self.format,)
        depths = {name: self.bit_depth if FORMATS[name] else None for name in formats}
        return tuple(replace(self, format=name, bit_depth=depths[name], formats=()) for name in formats)

    @property
    def asked(self) -> dict[str, Any]:
        """What a client asked for, as JSON. Fields that release 0.1 does not know are there only where they were used:
        it can read the other rows, and a request that is sent again has the same hash in both."""
        later = {"tags": True, "title_template": "", "formats": ()}
        return {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}

    def file_key(self, output: str, format: str) -> str:
        """The name of an output's file in a job's `files`: `vocals`, or `vocals.mp3` in a job of several formats."""
        return f"{output}.{format}" if self.formats else output

    @property
    def bytes_per_second(self) -> float:
        """About how many bytes a second of stereo has in this format. The source's rate is taken as 44,100 Hz.

        FLAC's share is that of separated stems, which are quieter than mixtures.
        """
        if self.format in _LOSSY_BITS:
            return _LOSSY_BITS[self.format] / 8
        pcm = 2 * (self.sample_rate or 44_100) * {"16": 2, "24": 3, "float32": 4}.get(self.bit_depth or "16", 2)
        return pcm * (0.55 if self.format == "flac" else 1.0)

    @property
    def content_type(self) -> str:
        """The media type of the files, such as `audio/flac`."""
        return CONTENT_TYPES[self.format]

    @property
    def extension(self) -> str:
        """The ending of the files' names, without the dot."""
        return EXTENSIONS[self.format]


def check_encoding(format: str, bit_depth: str | None) -> str | None:
    """The bit depth to write `format` with; None for a lossy format.

    Raises `UsageError` `impossible_format` where the format does not exist or can't carry that bit depth.
    """
    if format not in FORMATS:
        raise ImpossibleFormat(f"format {format!r} is not one of {', '.join(FORMATS)}")
    depths = FORMATS[format]
    if bit_depth is None:
        return depths[0] if depths else None
    if bit_depth not in depths:
        can = f"one of {', '.join(depths)}" if depths else "no bit_depth, because it is lossy"
        raise ImpossibleFormat(f"{format} cannot carry bit_depth {bit_depth}; it takes {can}")
    return bit_depth


def check_formats(format: str, formats: Sequence[str], bit_depth: str | None) -> Encoding:
    """The encoding for one `format`, or for all of `formats`: the first is its `format` then.

    A bit depth holds for all of the formats that are not lossy. Raises `UsageError` `impossible_format`.
    """
    several = tuple(dict.fromkeys(formats))
    if not several:
        return Encoding(format, check_encoding(format, bit_depth))
    if format not in (*several, Encoding.format):
        raise ImpossibleFormat(f"format is {format}, but formats has no {format}: name either of the two")
    lossy = [name for name in several if FORMATS.get(name) == ()]
    some = len(lossy) < len(several)  # where none can carry a bit depth, it is refused
    depths = [check_encoding(name, None if some and name in lossy else bit_depth) for name in several]
    depth = next(filter(None, depths), None)
    return Encoding(several[0], depth, formats=several if len(several) > 1 else ())


def check_number(outputs: int, encoding: Encoding) -> None:
    """Raise `UsageError` `too_many_outputs` where so many outputs in all formats are too many files."""
    if (count := outputs * len(encoding.each)) > MOST_FILES:
        raise TooManyOutputs(
            f"{outputs} outputs in {len(encoding.each)} formats are {count} files; at most {MOST_FILES}"
        )
