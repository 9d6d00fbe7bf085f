"""The tables in the README, made from the code and the last bench: `python -m tests.readme_tables` writes them anew."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import SecretStr

from stemsvc.models.catalog import load_catalog
from stemsvc.settings import Settings

README = Path(__file__).parent.parent / "README.md"


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


TABLES = {
    "queue": queue_table,
    "faults": faults_table, "settings": settings_table, "models": models_table, "bench": bench_table, "api": api_table,
}  # fmt: skip


def fill(text: str) -> str:
    """The README's text with every table between its marks made anew."""
    for name, table in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, rest = text.split(start)
        text = before + start + table() + end + rest.split(end.strip("\n"))[1]
    return text


if __name__ == "__main__":
    README.write_text(fill(README.read_text()))
    sys.exit(0)
