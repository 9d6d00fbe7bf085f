"""What a track's tags say, and what of it is true of a stem."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stemsvc.jobs.filenames import shortened, visible

MOST_FIELDS = 100
MOST_VALUE = 16 * 1024  # bytes of one field: long lyrics
MOST_BYTES = 64 * 1024  # of all fields together
MOST_COVER = 5 * 1024 * 1024  # bytes; each stem in each format has a copy
_KEY = re.compile(r"[\x20-\x3c\x3e-\x7d]{1,64}\Z")  # what a name in a Vorbis comment may have

# What is true only of the file or of the mixture: its encoder, length, loudness, checksums, fingerprints, pictures in
# text, who bought it, and what containers keep for themselves. FFmpeg's names, in lower case.
_FALSE = frozenset(
    re.findall(
        r"[^,\s][^,]*",
        """account_id,account_type,accurateripdiscid,accurateripresult,averagelevel,bps,coding_history,compatible_brands,coverart,coverartmime,
        creation_time,cuesheet,duration,encoded-by,encoded_by,encodedby,encoder,encoder_options,encoder_settings,
        encodersettings,encoding,encoding params,encoding_params,encoding_settings,encodingtime,gapless_playback,
        handler_name,isvbr,itunnorm,itunsmpb,length,major_brand,md5,metadata_block_picture,minor_version,
        originator_reference,peakvalue,purchase_date,software,time_reference,tlen,tsse,umid,vendor_id,vendor_string,
        waveformatextensible_channel_mask""",
    )
)
_FALSE_STARTS = (
    "acoustid",
    "cover art",
    "fingerprint",
    "id3v2_priv.",
    "loudness",
    "mp3gain",
    "number_of_",
    "r128_",
    "replaygain_",
    "wm/encodingtime",
    "wm/picture",
    "wmfsdk",
    "_statistics_",
)
# A language after the name: FFmpeg reads ID3's comments and lyrics so, and writes none of it back.
_IN_A_LANGUAGE = re.compile(r"(comment|lyrics|description)-[a-zA-Z]{3}\Z")


@dataclass(frozen=True)
class Cover:
    """A picture in the file `path`, as it was in the track. `codec` is FFmpeg's name: `mjpeg` or `png`."""

    path: Path
    codec: str
    width: int
    height: int

    @property
    def data(self) -> bytes:
        """The picture's file."""
        return self.path.read_bytes()

    @property
    def media_type(self) -> str:
        """Such as `image/png`."""
        return "image/png" if self.codec == "png" else "image/jpeg"


@dataclass(frozen=True)
class Tags:
    """Fields by FFmpeg's names (`title`, `artist`, `album_artist`, `track` ...), and the front cover."""

    fields: Mapping[str, str] = field(default_factory=dict)
    cover: Cover | None = None

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Tags:
        """What `dataclasses.asdict` made, after a journey through JSON."""
        cover = found["cover"]
        return cls(found["fields"], Cover(**{**cover, "path": Path(cover["path"])}) if cover else None)

    @property
    def title(self) -> str:
        """The song's title; empty where it has none."""
        return next((value for name, value in self.fields.items() if name.lower() == "title"), "")

    def titled(self, title: str) -> Tags:
        """The same with another title."""
        rest = {name: value for name, value in self.fields.items() if name.lower() != "title"}
        return Tags({"title": title, **rest} if title else rest, self.cover)


NONE = Tags()


def carried(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those of the fields that a stem may carry, cleaned; of several with the same name the first.

    Hostile files have any number of any size: the bounds of this module hold for what is returned.
    """
    kept: dict[str, str] = {}
    seen: set[str] = set()
    size = 0
    for given, text in found:
        name = _IN_A_LANGUAGE.sub(r"\1", given)
        lower = name.lower()
        if lower in seen or lower in _FALSE or lower.startswith(_FALSE_STARTS) or not _KEY.match(name):
            continue
        value = cleaned(text)
        size += len(name) + len(value.encode())
        if value and size <= MOST_BYTES and len(kept) < MOST_FIELDS:
            kept[name] = value
            seen.add(lower)
    return kept


def cleaned(text: str) -> str:
    """The text of a field without control characters but line ends, of at most `MOST_VALUE` bytes."""
    lines = re.split(r"\r\n|[\r\n]", text[:MOST_VALUE].replace("\t", " "))
    # halves of surrogate pairs go, too
    return shortened(unicodedata.normalize("NFC", "\n".join(map(visible, lines))), MOST_VALUE).strip()
