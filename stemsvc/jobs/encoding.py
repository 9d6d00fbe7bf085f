"""How a job's audio files are written: format, bit depth, sample rate, names. Every kind that makes audio uses it."""

from __future__ import annotations

from dataclasses import dataclass

from stemsvc.errors import ImpossibleFormat

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


@dataclass(frozen=True)
class Encoding:
    """How to write a job's files. `check_encoding` checks it before a job exists."""

    format: str = "flac"
    bit_depth: str | None = None  # "16", "24" or "float32"; None for lossy formats
    sample_rate: int | None = None  # Hz; the source's where None
    filename_template: str = ""  # see `stemsvc.jobs.filenames`

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
