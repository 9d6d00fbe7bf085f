"""Jobs, workflows, models and recipes as an assistant reads them: short, and without what could pass for its own words.

Names, titles and tags are data of others. They stay values of JSON, without control characters, and are cut.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

MOST_TEXT = 300
MOST_ITEMS = 40
DEEPEST = 8
HEARD = ("bpm", "key", "camelot", "time_signature", "duration_seconds", "loudness", "tuning_hz")  # facts of `analyze`
FILE = (
    "url",
    "filename",
    "expires_at",
    "content_type",
    "bytes",
    "duration_seconds",
    "loudness_lufs",
    "true_peak_db",
    "peak_db",
    "silent",
    "clipped",
)
LINKS = ("url",)  # are whole or useless


def job_brief(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job with the links of its files, and what was found out about the song."""
    facts = job.get("facts") or {}
    return brief(
        {
            "job_id": job["id"],
            "kind": job.get("kind"),
            "state": job["state"],
            "song": job.get("filename"),
            "progress": job.get("progress"),
            "queue_position": job.get("queue_position"),
            "error": job.get("error"),
            "warnings": job.get("warnings") or [],
            "cached": job.get("cached"),
            **{name: facts[name] for name in HEARD if facts.get(name) is not None},
            "facts": {name: value for name, value in facts.items() if name not in HEARD},
            "files": {name: _file(file) for name, file in (job.get("files") or {}).items()},
            "archive": _file(job.get("archive")),
            "manifest": _file(job.get("manifest")),
        }
    )


def workflow_brief(workflow: Mapping[str, Any], facts: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A workflow with its steps and the links of its outputs. `facts` are those that its jobs found, by step."""
    steps = [
        {
            "step": step["id"],
            "kind": step["do"],
            "state": step["state"],
            "job_ids": [job["id"] for job in step.get("jobs", ())],
            "errors": [job["error"] for job in step.get("jobs", ()) if job.get("error")],
        }
        for step in workflow.get("steps", ())
    ]
    return brief(
        {
            "workflow_id": workflow["id"],
            "recipe": workflow.get("recipe"),
            "name": workflow.get("name"),
            "state": workflow["state"],
            "progress": workflow.get("progress"),
            "error": workflow.get("error"),
            "steps": steps,
            "heard": dict(facts or {}),
            "outputs": {name: _file(file) for name, file in (workflow.get("outputs") or {}).items()},
            "decisions": [f"{each['step']}: {each['why']}" for each in workflow.get("decisions", ())],
        }
    )


def heard(job: Mapping[str, Any]) -> dict[str, Any]:
    """What a job found out about its song."""
    facts = job.get("facts") or {}
    return {name: facts[name] for name in HEARD if facts.get(name) is not None}


def _file(file: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if file is None else {name: file[name] for name in FILE if file.get(name) is not None}


def brief(found: Mapping[str, Any]) -> dict[str, Any]:
    """An answer of the service, as `plain` makes it."""
    shown: dict[str, Any] = plain(found)
    return shown


def plain(value: Any, name: str = "", depth: int = DEEPEST) -> Any:
    """The value with short lists, and with short texts of one line. Links stay whole."""
    if isinstance(value, str):
        return value if name in LINKS else clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): plain(each, str(key), depth - 1) for key, each in value.items()} if depth else {}
    if isinstance(value, (list, tuple)):
        items = [plain(each, name, depth - 1) for each in value[:MOST_ITEMS]] if depth else []
        return [*items, f"and {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else items
    return value


def clean(text: str) -> str:
    """A text of others on one line, cut, without what steers a terminal or turns the direction of writing."""
    shown = "".join(
        " " if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") else each for each in text
    )
    return shown if len(shown) <= MOST_TEXT else f"{shown[: MOST_TEXT - 1]}…"
