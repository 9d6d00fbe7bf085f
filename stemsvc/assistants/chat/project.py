"""What a conversation works on: a project is all that was decided so far, and a plan is the workflow that makes it.

A plan makes everything anew. Steps that an earlier plan has made already cost nothing: the result cache has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stemsvc.kinds.generate.params import ORIGINAL, SCORE
from stemsvc.music.genres import STEMS

MAKE, VARY, SPLIT, MIX, MASTER = "make", "vary", "split", "mix", "master"  # ids of steps
FACTS, NOTES, PROJECT = "facts", "notes", "project"
OF_GENERATION = "mix"  # the output that is the whole piece
SOURCE = "source"  # what a workflow's step calls the song that was sent


@dataclass(frozen=True)
class Goal:
    """What is wanted of the sound besides the sound: a kind of job, and its params."""

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """One version. `source` is the song that was sent, as `POST /v1/workflows` takes it, else `music` are the params of
    a generation. `tracks` has what a mix does to each stem, `mix` and `master` the params of those steps (None: no such
    step), `split` the stems that are wanted as files (empty: all; None: none), `format` how files are written.
    """

    source: Mapping[str, Any] | None = None
    music: Mapping[str, Any] | None = None
    changes: tuple[tuple[str, int], ...] = ()  # of a generation: what is made anew, and by which seed, in turn
    tracks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mix: Mapping[str, Any] = field(default_factory=dict)
    master: Mapping[str, Any] | None = None
    split: tuple[str, ...] | None = None
    goals: tuple[Goal, ...] = ()
    format: str = ""
    name: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to work on."""
        return self.source is None and self.music is None

    @property
    def needs_stems(self) -> bool:
        """Whether its parts are needed one by one."""
        return self.mixed or self.split is not None or any(goal.kind != "analyze" for goal in self.goals)

    @property
    def mixed(self) -> bool:
        """Whether it needs its stems, to mix them."""
        return bool(self.tracks or self.mix)

    def track(self, stem: str, **changes: Any) -> Project:
        """The project with these settings of a stem; None takes a setting away."""
        own = {**self.tracks.get(stem, {}), **changes}
        kept = {name: value for name, value in own.items() if value is not None}
        tracks = {name: settings for name, settings in {**self.tracks, stem: kept}.items() if settings}
        return replace(self, tracks=tracks)

    def remade(self, **music: Any) -> Project:
        """The project with other params of its generation; None leaves one open again."""
        kept = {name: value for name, value in {**(self.music or {}), **music}.items() if value is not None}
        return replace(self, music=kept)


def plan(project: Project) -> dict[str, Any]:
    """The body of `POST /v1/workflows` that makes the project."""
    written = {"format": project.format} if project.format else {}
    steps, wanted = _sound(project, written)
    of, stems = wanted, _stems_step(project)
    steps += [step for goal in project.goals if (step := _goal_step(goal, project, of, stems))]
    last = [step["id"] for step in steps if step["id"] in (FACTS, NOTES, PROJECT)]
    if project.split is not None and stems:
        outputs = [f"{stems}.{name}" for name in project.split] or [stems]
    else:
        outputs = [] if wanted == SOURCE else [wanted]
    body: dict[str, Any] = {"steps": steps, "outputs": [*outputs, *last] if steps else []}
    if project.name:
        body["name"] = project.name
    if project.source is not None:
        body["source"] = dict(project.source)
    return body


def _sound(project: Project, written: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The steps that make the sound, and what the last of them makes."""
    finished = not (project.mixed or project.master is not None)
    if project.music is not None:
        steps = _music(project, written if finished else {})
        wanted = f"{steps[-1]['id']}.{OF_GENERATION}"
    else:
        steps, wanted = [], SOURCE
        if project.needs_stems:
            alone = not project.mixed and not project.goals  # nothing else needs the other stems
            picked = {"stems": list(project.split)} if alone and project.split else {}
            steps.append({"id": SPLIT, "do": "separate", "with": {**picked, **written}})
    if project.mixed:
        finest = written if project.master is None else {"format": "wav", "bit_depth": "float32"}
        steps.append({"id": MIX, "do": "mix", "with": {"tracks": _tracks(project), **project.mix, **finest}})
        wanted = MIX
    if project.master is not None:
        step = {"id": MASTER, "do": "master", "with": {**project.master, **written}, "inputs": {"source": wanted}}
        steps.append(step)
        wanted = MASTER
    return steps, wanted


def _music(project: Project, written: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The generation, and a variation of the one before for each change."""
    stems = {"stems": True} if project.needs_stems else {}
    last = len(project.changes)
    steps = [
        {"id": MAKE, "do": "generate", "with": {**(project.music or {}), **({} if last else {**stems, **written})}}
    ]
    for number, (part, seed) in enumerate(project.changes, 1):
        own = {"change": part, "seed": seed, **({**stems, **written} if number == last else {})}
        before = f"{steps[-1]['id']}.{SCORE}"
        steps.append({"id": f"{VARY}{number}", "do": "generate", "with": own, "inputs": {ORIGINAL: before}})
    return steps


def _stems_step(project: Project) -> str:
    if project.music is None:
        return SPLIT
    return f"{VARY}{len(project.changes)}" if project.changes else MAKE


def _tracks(project: Project) -> list[dict[str, Any]]:
    """An entry for each stem; one that is muted is left out, unless another one follows it or nothing would be left."""
    step = _stems_step(project)
    names = list(dict.fromkeys((*STEMS, *project.tracks))) if project.music is None else list(STEMS)
    followed = {track["sidechain"]["from"] for track in project.tracks.values() if "sidechain" in track}
    entries = [
        {"source": f"{step}.{name}", **({"name": name} if name in followed else {}), **project.tracks.get(name, {})}
        for name in names
    ]
    heard = [each for each in entries if not each.get("mute") or each.get("name") in followed]
    return heard or entries


def _goal_step(goal: Goal, project: Project, of: str, stems: str) -> dict[str, Any] | None:
    params = dict(goal.params)
    if goal.kind == "analyze":
        return {"id": FACTS, "do": "analyze", "with": params, "inputs": {"source": of}}
    named = params.pop("of", ())
    inputs: list[str] = [f"{stems}.{name}" for name in named or STEMS]
    if goal.kind == "transcribe":
        return {"id": NOTES, "do": "transcribe", "with": {**params, "stems": list(named or STEMS)},
                "inputs": {"source": inputs}}  # fmt: skip
    return {"id": PROJECT, "do": "export", "with": params, "inputs": {"source": inputs}}
