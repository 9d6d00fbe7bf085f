"""The titles in the tags of a job's files."""

from __future__ import annotations

from stemsvc.jobs.filenames import check_fields, filled

FIELDS = ("title", "stem", "model")
DEFAULT_TEMPLATE = "{title} ({stem})"


def check_title_template(template: str) -> str:
    """The template, if it can make titles; raises `UsageError` `bad_template` if not.

    `{title}` is the song's title, or the track's name where it has none, `{stem}` the output's name, `{model}` the
    model's name.
    """
    check_fields(template, FIELDS)
    return template


def stem_title(title: str, stem: str, model: str, template: str = "") -> str:
    """The title of a stem."""
    return filled(template or DEFAULT_TEMPLATE, {"title": title, "stem": stem, "model": model}).strip()
