"""File names: how a client's names are cleaned, and what names downloads get."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

import regex

from stemsvc.errors import BadTemplate
from stemsvc.jobs.record import Job

MOST_BYTES = 255  # of a name, in every common file system
SPARE_BYTES = 15  # of them are left for what browsers and shells add: ` (1)`, `.crdownload`
MAX_TEMPLATE = 150  # characters
FIELDS = ("name", "stem", "model")
DEFAULT_TEMPLATE = "{name} - {stem}"
# What a name may end with that says which format the file has. Other endings belong to the title: `Mr. X feat. Y`.
ENDINGS = frozenset(
    re.findall(
        r"\w+",
        """3g2 3ga 3gp aac ac3 adts aif aifc aiff alac amr ape asf au avi caf dff dsf dts eac3 flac flv m2ts m4a m4b m4p
        m4r m4v mka mkv mov mp1 mp2 mp3 mp4 mpc mpeg mpg mpga mts oga ogg ogv ogx opus ra rf64 rm snd spx tak ts tta vob
        w64 wav wave webm weba wma wmv wv""",
    )
)
# Names of devices, with any ending (learn.microsoft.com, "Naming Files, Paths, and Namespaces").
_PORTS = (f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³")
RESERVED = frozenset(("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *_PORTS))
# What is not seen, or turns the rest around: controls, surrogates, private use, code points that are no characters,
# separators of lines, format characters. Some format characters are text; the groups of `_TEXT` keep those.
_UNSEEN = r"[\p{Cc}\p{Cs}\p{Co}\p{Cf}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]"
_JOINED = r"[\p{L}\p{M}\p{N}\p{Extended_Pictographic}\p{Emoji_Modifier}]"  # what a joiner may stand between
_TEXT = (
    r"\p{Prepended_Concatenation_Mark}"  # signs of Arabic numbers, which are drawn
    rf"|(?<={_JOINED})[\u200C\u200D](?={_JOINED})"  # joiners of Persian words, Indic letters, emoji
    r"|(?<=\p{Canonical_Combining_Class=9})[\u200C\u200D]"  # after a virama they form the letter before
    # the flags of England, Scotland and others (UTS 51, emoji tag sequences)
    r"|(?<=\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]*)"
    r"[\U000E0030-\U000E0039\U000E0061-\U000E007A]+\U000E007F"
)
_CLEANING = regex.compile(rf"({_TEXT})|{_UNSEEN}")
_GRAPHEME = regex.compile(r"\X")


def visible(text: str) -> str:
    """The text without control characters, bidirectional marks and stray joiners.

    Joiners stay between letters and within emoji.
    """
    return str(_CLEANING.sub(lambda found: found[1] or "", text))


def clean_filename(given: str) -> str:
    """A client's file name without folders and what can't be seen, as every file system takes it.

    `track` where nothing is left. A long name loses the end of its title, not its ending.
    """
    name = _harmless(given.replace("\\", "/").rsplit("/", 1)[-1])
    title = without_ending(name)
    ending = name[len(title) :]
    return _bare(shortened(title, MOST_BYTES - len(ending.encode())).rstrip() + ending) or "track"


def without_ending(name: str) -> str:
    """The name without an ending that is audio's or video's."""
    title, _, ending = name.rpartition(".")
    return title if title and ending.lower() in ENDINGS else name


def shortened(text: str, most: int) -> str:
    """The longest start of the text that has at most so many bytes of UTF-8 and cuts no grapheme.

    A grapheme that alone has more bytes, such as a letter under hundreds of accents, is cut.
    """
    kept = size = 0
    for grapheme in _GRAPHEME.finditer(text):
        size += len(grapheme[0].encode())
        if size > most:
            break
        kept = grapheme.end()
    return text[:kept] or text.encode()[: max(0, most)].decode(errors="ignore")


def check_template(template: str) -> str:
    """The template, if it can make file names; raises `UsageError` `bad_template` if not.

    `{name}` is the track's name without its ending, `{stem}` the output's name, `{model}` the model's name. The service
    adds the ending.
    """
    check_fields(template, FIELDS)
    if template and "{stem}" not in template:
        raise BadTemplate("without {stem} all stems would have the same name")
    return template


def check_fields(template: str, known: tuple[str, ...]) -> None:
    """Raise `UsageError` `bad_template` for unknown fields, lone braces, what can't be seen, and long templates."""
    fields = re.findall(r"\{([^{}]*)\}", template)
    rest = re.sub(r"\{[^{}]*\}", "", template)
    unknown = [name for name in fields if name not in known]
    if unknown or "{" in rest or "}" in rest:
        what = f"{{{unknown[0]}}}" if unknown else "a lone brace"
        raise BadTemplate(f"{what} is not one of {', '.join(f'{{{name}}}' for name in known)}")
    if visible(template) != template:
        raise BadTemplate("a template may have printable characters only")
    if len(template) > MAX_TEMPLATE:
        raise BadTemplate(f"a template may have at most {MAX_TEMPLATE} characters")


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields replaced; braces within the values stay."""
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)


def output_filename(job: Job, output: str) -> str:
    """The name under which a browser saves an output: `song - vocals.flac`, or what the job's template makes.

    The ending is that of the file in storage.
    """
    stem, suffix = job.outputs[output].get("stem", output), PurePosixPath(job.outputs[output]["key"]).suffix
    return stem_filename(job.name, stem, suffix, job.spec.model, job.encoding.filename_template)


def stem_filename(
    track: str, stem: str, suffix: str, model: str = "", template: str = "", most: int = MOST_BYTES - SPARE_BYTES
) -> str:
    """The name of a stem of the track `track`, of at most so many bytes: the track's name is cut so that it fits.

    Where the template leaves no room for that, the name is made by the default template.
    """
    title = without_ending(clean_filename(track)).rstrip()
    room = most - len(suffix.encode()) - 1  # a reserved name gets one character more
    for each in (unicodedata.normalize("NFC", template) or DEFAULT_TEMPLATE, DEFAULT_TEMPLATE):
        values = {"name": "", "stem": stem, "model": model}
        spare = room - len(filled(each, values).encode())
        if spare >= 0:
            values["name"] = shortened(title, spare // max(1, each.count("{name}"))).rstrip()
            return _whole(filled(each, values)) + suffix
    return _whole(shortened(stem, room)) + suffix


def manifest_filename(job: Job) -> str:
    """The name under which a browser saves a job's manifest: `song - manifest.json`."""
    return stem_filename(job.name, "manifest", ".json")


def archive_filename(job: Job) -> str:
    """The name under which a browser saves a job's archive: `song - stems.zip`, `files` for another kind."""
    return stem_filename(job.name, "stems" if job.kind == "separate" else "files", ".zip")


def same_file(name: str) -> str:
    """What two names share that are one file on some disk: macOS and Windows know no case, macOS no form of accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _whole(name: str) -> str:
    """A name made by a template, as every file system takes it; what would be folders is part of it."""
    return _harmless(re.sub(r"[/\\]", "_", name)) or "track"


def _harmless(name: str) -> str:
    name = _bare(re.sub(r'[<>:"|?*]', "_", visible(unicodedata.normalize("NFC", name))))
    return f"_{name}" if name.partition(".")[0].rstrip().upper() in RESERVED else name


def _bare(name: str) -> str:
    """Without dots and spaces around it: Windows drops those at the end, and a dot in front hides a file."""
    return str(regex.sub(r"^[\s.]+|[\s.]+$", "", name))
