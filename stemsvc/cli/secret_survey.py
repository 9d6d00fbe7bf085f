"""Where the secrets of this installation come from, who can read them, and where they stand and must not."""

from __future__ import annotations

import contextlib
import mmap
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stemsvc.cli.processes import FLOWER, Process, processes
from stemsvc.embedded.state import logs_folder, running
from stemsvc.errors import BadSetting
from stemsvc.host import environment, secret_files
from stemsvc.host.environment import PREFIX
from stemsvc.host.secret_text import LEAST_SOUGHT, passwords, written
from stemsvc.settings import RESTART, SECRETS, Settings

NOT_SET = "not set"
CHART = Path("helm") / "stemsvc"
MADE = {"signing.key": "signs URLs", "secret.key": "encrypts secrets in the job store"}  # in the data folder, by us
URLS = ("database_url", "broker_url", "fetch_proxy")
NAMES = ("s3_access_key_id",)  # no secret by itself: every signed URL has it


@dataclass(frozen=True)
class Secret:
    """What is known of a secret: all but the secret. `changed_at` is in seconds since the epoch."""

    name: str
    origin: str = NOT_SET
    changed_at: float | None = None
    world_readable: bool = False
    found_in: list[str] = field(default_factory=list)
    problem: str = ""
    note: str = ""

    @property
    def age(self) -> float | None:
        """Seconds since its file was changed."""
        return None if self.changed_at is None else time.time() - self.changed_at

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return not (self.problem or self.world_readable or self.found_in)


@dataclass(frozen=True)
class Survey:
    """All secrets, what is wrong on a line each, and how many places were looked at."""

    secrets: list[Secret]
    looked_at: dict[str, int]

    @property
    def problems(self) -> list[str]:
        """What is wrong, one line each."""
        lines = []
        for each in self.secrets:
            if each.problem:
                lines.append(each.problem)
            if each.world_readable:
                lines.append(f"{each.name}: every user of this machine can read {each.origin}: chmod o-rwx")
            lines += [f"{each.name}: it is in {place}: take it out, and change the secret" for place in each.found_in]
        return lines

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return all(each.ok for each in self.secrets)


def survey(more: Iterable[Path] = ()) -> Survey:
    """Look at every secret of the settings. `more` are files and folders to look in, besides our own.

    Raises `FatalError` `bad_setting` for what a file of a secret can't be blamed for.
    """
    settings, broken = _settings()
    alive = list(processes())
    texts = {
        "logs": _files(logs_folder(settings)),
        "the chart": [each for folder in _charts() for each in _files(folder)],
        "other files": [each for place in more for each in _files(place)],
    }
    places = [path for paths in texts.values() for path in paths]
    secrets = [
        _secret(name, origin, sought, note, broken.get(name, ""), places, alive)
        for name, origin, sought, note in _known(settings, alive)
    ]
    if "secrets_dir" in broken:
        secrets.append(Secret(secret_files.FOLDER, "broken", problem=broken["secrets_dir"]))
    counts = {what: len(paths) for what, paths in texts.items()}
    return Survey(secrets, {**counts, "arguments of processes": len(alive)})


def _settings() -> tuple[Settings, dict[str, str]]:
    """The settings without the secrets whose files are broken, and what is wrong with these."""
    broken: dict[str, str] = {}
    overrides: dict[str, Any] = {}
    folder = environment.value(secret_files.FOLDER) or None
    try:
        secret_files.listed(Path(folder)) if folder else []
    except BadSetting as error:
        broken["secrets_dir"], overrides["secrets_dir"], folder = error.detail, None, None
    for name in SECRETS:
        try:
            for file in secret_files.find([name], folder).values():
                file.read()
        except BadSetting as error:
            broken[name], overrides[name] = error.detail, Settings.model_fields[name].get_default()
    return Settings(**overrides), broken


def _known(settings: Settings, alive: list[Process]) -> Iterator[tuple[str, str, list[str], str]]:
    """Each secret's name, where it comes from, the texts to look for, and a remark."""
    for name, effect in SECRETS.items():
        value = getattr(settings, name)
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value or ""
        file = settings.secret_file(name)
        origin = str(file) if file else environment.origin(name)
        if origin == "default" or not text:
            yield name, NOT_SET, [], ""
        else:
            late = _late(name, file, settings.data_dir, alive) if file and effect == RESTART else ""
            yield name, origin, _sought(name, text), late
    for file_name, what in MADE.items():
        path = settings.data_dir / file_name
        if path.is_file():
            yield file_name, str(path), [path.read_text().strip()], f"made here; {what}"
    if stack := running(settings):
        yield "broker of `up`", "made at its start", passwords(stack.broker_url), ""


def _sought(name: str, text: str) -> list[str]:
    if name in NAMES:
        return []
    if name in URLS:
        return passwords(text)
    return [each.strip() for each in text.split(",")] if name == "secret_key" else [text]


def _late(name: str, file: Path, data_dir: Path, alive: list[Process]) -> str:
    """Who works with what the file had before."""
    changed = file.stat().st_mtime
    users = [each for each in alive if FLOWER in each.arguments or name != "flower_password"]
    late = [str(each.pid) for each in users if each.started and each.started < changed and each.ours(data_dir)]
    return f"changed since these processes started: restart {', '.join(late)}" if late else ""


def _secret(
    name: str, origin: str, sought: list[str], note: str, problem: str, places: list[Path], alive: list[Process]
) -> Secret:
    if name in SECRETS:
        name = f"{PREFIX}{name.upper()}"
    if problem:
        return Secret(name, "broken", problem=problem)
    long = [each for each in sought if len(each) >= LEAST_SOUGHT]
    forms = [form.encode() for each in long for form in written(each)]
    found = [place for path in places if (place := _place(path, forms))]
    found += [f"the arguments of {each}" for each in alive if any(form in each.arguments for form in forms)]
    if len(long) < len(sought):
        note = f"{note}; " * bool(note) + "too short to look for: anybody could guess it"
    path = Path(".env") if origin == ".env" else Path(origin)
    try:
        changed = path.stat().st_mtime if origin == ".env" or path.is_absolute() else None
    except OSError:
        changed = None
    return Secret(name, origin, changed, changed is not None and open_to_everybody(path), found, note=note)


def open_to_everybody(path: Path) -> bool:
    """Whether every user of the machine can read a file: it may be read, and all folders above it may be passed."""
    real = path.resolve()
    above = all(folder.stat().st_mode & stat.S_IXOTH for folder in real.parents)
    return above and bool(real.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))


def _charts() -> list[Path]:
    """The chart of the checkout that this code runs from, and of that which we are in."""
    roots = {Path(__file__).resolve().parents[2], Path.cwd().resolve()}
    return [root / CHART for root in sorted(roots) if (root / CHART / "Chart.yaml").is_file()]


def _files(place: Path) -> list[Path]:
    return sorted(each for each in (place, *place.rglob("*")) if each.is_file())


def _place(path: Path, forms: list[bytes]) -> str:
    """The file and line of the first of the texts in a file; empty if none is there."""
    with (
        contextlib.suppress(OSError, ValueError),  # a log that is gone, an empty file
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        for form in forms:
            if (at := text.find(form)) >= 0:
                line = text[:at].count(b"\n") + 1
                return f"{path}, line {line}"
    return ""
