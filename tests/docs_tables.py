"""The tables of README.md and docs/, made from the code and the last benches.

`python -m tests.docs_tables` writes them again, between the marks `<!-- name -->` and `<!-- /name -->`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from stemsvc import errors
from stemsvc.host.secret_files import variable_of
from stemsvc.jobs import warnings
from stemsvc.kinds.separate.kind import KIND, SeparateParams
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import RESTART, SECRETS, Settings

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


def secrets_table() -> str:
    rows = ["| file | when it changes |", "| --- | --- |"]
    for name, effect in SECRETS.items():
        words = "a restart is needed; the log and `stemsvc check secrets` say so" if effect == RESTART else effect
        rows.append(f"| `{variable_of(name)}` | {words} |")
    return "\n".join(rows)


def models_table() -> str:
    rows = ["| model | stems | what it is | download | licence |", "| --- | --- | --- | ---: | --- |"]
    for entry in load_catalog().entries:
        size = "" if entry.files[0].path else f"{(entry.size or 0) / 1e6:.0f} MB"
        rows.append(f"| `{entry.name}` | {', '.join(entry.stems)} | {entry.summary} | {size} | {entry.licence_words} |")
    return "\n".join(rows)


def presets_table() -> str:
    rows = ["| `quality` | what it gives | models, the first that is served | stems of a job that names none |"]
    rows.append("| --- | --- | --- | --- |")
    for preset in load_catalog().presets:
        ways = [f"`{option.model}`" if option.model else option.words for option in preset.options]
        stems = dict.fromkeys(", ".join(option.stems) or "all" for option in preset.options)
        rows.append(f"| `{preset.name}` | {preset.summary} | {'; '.join(ways)} | {'; '.join(stems)} |")
    return "\n".join(rows)


def generators_table() -> str:
    rows = [
        "| model | what it makes | decoder | memory | licence |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    for entry in load_catalog().generators.entries:
        size = f"{entry.parameters / 1e9:g} G" if entry.parameters else ""
        words = f"| `{entry.name}` | {entry.summary} | {size} | {entry.memory_mb} MB | {entry.licence_words} |"
        rows.append(words)
    return "\n".join(rows)


def sizes_table() -> str:
    """Memory and time of each model on the reference machine, for a track of four minutes."""
    rows = ["| model | memory of a pool process | a track of 4 min | tracks a day |", "| --- | ---: | ---: | ---: |"]
    catalog = load_catalog()
    for entry in catalog.entries:
        seconds = KIND.cost(SeparateParams(entry.name), 240.0, catalog)
        rows.append(f"| `{entry.name}` | {entry.memory_mb} MB | {seconds:.0f} s | {86400 / seconds:,.0f} |")
    return "\n".join(rows)


def own_errors() -> dict[str, type[errors.StemsvcError]]:
    """Our errors by code, in the order of their file. An installed kind of somebody else explains its own."""
    return {code: error for code, error in errors.TABLE.items() if error.__module__ == errors.__name__}


def errors_table() -> str:
    rows = ["| code | kind | HTTP status | what to do |", "| --- | --- | ---: | --- |"]
    for code, error in own_errors().items():
        words = " ".join((error.__doc__ or "").split())
        chapter = f'<a id="{code}"></a>'  # where the `type` of an error leads
        rows.append(f"| `{code}` | {error.kind} | {error.status or '—'} | {chapter}{words} |")
    return "\n".join(rows)


def warnings_table() -> str:
    rows = ["| code | what it means |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| `{code}` | {meaning} |" for code, meaning in warnings.TABLE.items())])


def _results(*path: str) -> str:
    return README.parent.joinpath("tests", *path).read_text().strip()


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "secrets": secrets_table,
    "models": models_table,
    "presets": presets_table,
    "generators": generators_table,
    "sizes": sizes_table,
    "errors": errors_table,
    "warnings": warnings_table,
    "bench": lambda: _results("bench", "RESULTS.md"),
    "api": lambda: _results("bench", "API.md"),
    "queue": lambda: _results("bench", "QUEUE.md"),
    "workflows": lambda: _results("bench", "WORKFLOWS.md"),
    "audio": lambda: _results("bench", "AUDIO.md"),
    "faults": lambda: _results("faults", "RESULTS.md"),
}


def fill(text: str) -> str:
    """A page's text, each table between its marks made again."""
    for name, table in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if start in text:
            before, rest = text.split(start)
            text = f"{before}{start}{table()}\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill(page.read_text()))
