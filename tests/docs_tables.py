"""The tables in the docs, made from the code and the last benches: `python -m tests.docs_tables` writes them anew."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import SecretStr

from stemsvc import errors
from stemsvc.errors import TABLE
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings

README = Path(__file__).parent.parent / "README.md"
PAGES = (README, *sorted((README.parent / "docs").glob("*.md")))


def settings_table() -> str:
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        if field.default_factory is not None:
            default = "your platform's folder for data"
        elif isinstance(default, SecretStr) or default in (None, ""):
            default = ""
        else:
            default = f"`{default}`"
        rows.append(f"| `STEMSVC_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def models_table() -> str:
    rows = ["| model | stems | what it is | download | licence |", "| --- | --- | --- | ---: | --- |"]
    for entry in load_catalog().entries:
        size = "" if entry.files[0].path else f"{(entry.size or 0) / 1e6:.0f} MB"
        rows.append(
            f"| `{entry.name}` | {', '.join(entry.stems)} | {entry.summary} | {size} | {entry.licence_words} |"
        )  # fmt: skip
    return "\n".join(rows)


def bench_table() -> str:
    return (README.parent / "tests" / "bench" / "RESULTS.md").read_text().strip()


def api_table() -> str:
    return (README.parent / "tests" / "bench" / "API.md").read_text().strip()


def faults_table() -> str:
    return (README.parent / "tests" / "faults" / "RESULTS.md").read_text().strip()


def queue_table() -> str:
    return (README.parent / "tests" / "bench" / "QUEUE.md").read_text().strip()


def errors_table() -> str:
    rows = ["| code | kind | HTTP | what to do |", "| --- | --- | ---: | --- |"]
    for code, error in TABLE.items():
        if error.__module__ == errors.__name__:  # a kind that is installed beside ours explains its own
            rows.append(
                f"| `{code}` | {error.kind} | {error.status or '–'} | {' '.join((error.__doc__ or '').split())} |"
            )
    return "\n".join(rows)


TABLES = {
    "queue": queue_table, "errors": errors_table,
    "faults": faults_table, "settings": settings_table, "models": models_table, "bench": bench_table, "api": api_table,
}  # fmt: skip


def fill(text: str) -> str:
    """A page's text with every table between its marks made anew."""
    for name, table in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if start in text:
            before, rest = text.split(start)
            text = before + start + table() + "\n" + end + rest.split(end)[1]
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill(page.read_text()))
    sys.exit(0)
