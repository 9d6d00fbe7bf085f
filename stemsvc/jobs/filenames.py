"""File names: how a client's names are cleaned, and what names downloads get."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from stemsvc.errors import BadTemplate
from stemsvc.jobs.record import Job

MAX_LENGTH = 150
FIELDS = ("name", "stem", "model")
DEFAULT_TEMPLATE = "{name} - {stem}"


def clean_filename(given: str) -> str:
    """A client's file name without folders, control and bidirectional characters; `track` where nothing is left.

    Only its last `MAX_LENGTH` characters are kept.
    """
    name = given.replace("\\", "/").rsplit("/", 1)[-1]
    # categories C*: control, format (bidi marks and joiners), surrogate, private, unassigned
    name = "".join(c for c in unicodedata.normalize("NFC", name) if not unicodedata.category(c).startswith("C"))
    name = re.sub(r'[<>:"|?*]', "_", name).strip(" .")
    return name[-MAX_LENGTH:] or "track"


def check_template(template: str) -> str:
    """The template, if it can make file names; raises `UsageError` `bad_template` if not.

    `{name}` is the track's name without its ending, `{stem}` the output's name, `{model}` the model's name. The service
    adds the ending.
    """
    fields = re.findall(r"\{([^{}]*)\}", template)
    rest = re.sub(r"\{[^{}]*\}", "", template)
    unknown = [name for name in fields if name not in FIELDS]
    if unknown or "{" in rest or "}" in rest:
        what = f"{{{unknown[0]}}}" if unknown else "a lone brace"
        raise BadTemplate(f"{what} is not one of {', '.join(f'{{{name}}}' for name in FIELDS)}")
    if template and "stem" not in fields:
        raise BadTemplate("without {stem} all stems would have the same name")
    if not template.isprintable():
        raise BadTemplate("a template may have printable characters only")
    if len(template) > MAX_LENGTH:
        raise BadTemplate(f"a template may have at most {MAX_LENGTH} characters")
    return template


def output_filename(job: Job, output: str) -> str:
    """The name under which a browser saves an output: `song - vocals.flac`, or what the job's template makes.

    The ending is that of the file in storage.
    """
    values = {"name": PurePosixPath(job.name).stem, "stem": output, "model": job.spec.model}
    template = job.encoding.filename_template or DEFAULT_TEMPLATE
    name = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], template)
    return f"{clean_filename(name.replace('/', '_'))}{PurePosixPath(job.outputs[output]['key']).suffix}"


def manifest_filename(job: Job) -> str:
    """The name under which a browser saves a job's manifest: `song - manifest.json`."""
    return f"{clean_filename(PurePosixPath(job.name).stem)} - manifest.json"
