"""The work of the kind `generate`: settle what is left open, make pieces, judge them, write the best of each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemsvc.jobs.encoding import Encoding
from stemsvc.jobs.warnings import MODEL_REPLACED
from stemsvc.kinds.generate.brief import Brief, settle
from stemsvc.kinds.generate.kind import KIND, MIX, suffix
from stemsvc.kinds.generate.params import MAX_SEED, MELODY, SCORE, GenerateParams
from stemsvc.music.genres import STEMS
from workers.audio.encode import CODECS, Encoded, Encoder, carried_rate
from workers.audio.rate import RateConverter
from workers.audio.track import FRAME_BYTES, scratch_errors
from workers.audio.writers import Writers
from workers.host.scratch import check_room
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.generate.finish import Finished, finish
from workers.kinds.generate.original import read_original, score
from workers.kinds.generate.pieces import BLOCK, RATE, Provider, Unable
from workers.kinds.generate.quality import Quality, judge
from workers.kinds.generate.sketch.provider import Sketch

FURTHER = 104729  # between the seeds of candidates, FURTHER_TRY between those of tries: both are prime
FURTHER_TRY = 7919
SPOOLS = 7  # files of samples that a piece takes while it is made
PLAYED = 5  # more of them, where a SoundFont plays its voices


@dataclass(frozen=True)
class Candidate:
    """A finished piece, what it was made by, how good it is, and how often it was tried."""

    brief: Brief
    finished: Finished
    quality: Quality
    tries: int

    @property
    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {**self.brief.facts, "quality": self.quality.facts, "tries": self.tries}


def generate(params: GenerateParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """The pieces, by the job's model, or by the next one where that can't make them. Raises `UsageError` `bad_options`,
    `bad_inputs` and `licence_not_accepted`, and what the encoders raise."""
    brief = settle(params, read_original(inputs))
    while True:
        provider = _provider(params, inputs, attempt)
        try:
            provider.prepare(attempt)
            return _pieces(provider, params, brief, attempt)
        except Unable as error:
            params = _instead(params, inputs, str(error), attempt)


def _provider(params: GenerateParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Provider:
    entry = attempt.catalog.generators.find(params.model)
    if entry is None:
        return Sketch(attempt.soundfont)
    from workers.kinds.generate.musicgen.provider import MusicGen  # torch, which sketch does not need

    return MusicGen.of(entry, params, inputs, attempt)


def _instead(params: GenerateParams, inputs: Sequence[LocalInput], why: str, attempt: Attempt) -> GenerateParams:
    """The params with the next provider, which the job has from now on."""
    instead = KIND.fallback(params, attempt.catalog)
    assert instead is not None, "sketch is able to make every piece"
    unheard = ", and it follows no melody" if any(each.role == MELODY for each in inputs) else ""
    detail = f"{instead.model} made this in place of {params.model}{unheard}, because {why}"
    attempt.take_instead(instead, MODEL_REPLACED, detail)
    return instead


def _pieces(provider: Provider, params: GenerateParams, brief: Brief, attempt: Attempt) -> Made:
    room = round(params.candidates * brief.duration * RATE) * FRAME_BYTES
    spools = SPOOLS + (PLAYED if attempt.soundfont else 0) + len(_outputs(params))
    check_room(attempt.folder, room * spools + attempt.limits.min_free_bytes)
    files: dict[str, MadeFile] = {}
    with attempt.computing(params.candidates * brief.duration):
        found = [
            best_of_tries(provider, brief.again((_base(brief) + FURTHER * number) % MAX_SEED), number, attempt)
            for number in range(params.candidates)
        ]
        ranked = sorted(found, key=lambda each: -each.quality.score)
        for place, each in enumerate(ranked):
            files |= _written(each, _outputs(params), suffix(place), attempt)
    best = ranked[0].facts
    path = attempt.folder / "score.json"
    with scratch_errors():
        path.write_text(score(best), encoding="utf-8")
    files[SCORE] = MadeFile(path, "application/json")
    facts = {**_shown(provider, best), "model": provider.name}
    if params.candidates > 1:
        facts["candidates"] = [
            {"files": [f"{name}{suffix(place)}" for name in _outputs(params)], **_shown(provider, each.facts)}
            for place, each in enumerate(ranked)
        ]
    return Made(files, {"duration_seconds": params.candidates * brief.duration}, facts)


def _outputs(params: GenerateParams) -> tuple[str, ...]:
    return (MIX, *(STEMS if params.stems else ()))


def _shown(provider: Provider, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts without the form, where the provider follows none."""
    if provider.composes:
        return facts
    told = {name: value for name, value in facts.items() if name not in ("form", "changes")}
    return {**told, "filled": [name for name in facts["filled"] if name != "form"]}


def _base(brief: Brief) -> int:
    """The seed that decides what is new in a piece."""
    return next(iter(brief.changes.values()), brief.seed)


def best_of_tries(provider: Provider, brief: Brief, number: int, attempt: Attempt) -> Candidate:
    """A candidate that is good enough, or the best of those that were tried."""
    best: Candidate | None = None
    for turn in range(provider.tries):
        own = brief if turn == 0 else brief.again((_base(brief) + FURTHER_TRY * turn) % MAX_SEED)
        folder = Path(tempfile.mkdtemp(prefix=f"piece-{number}-{turn}-", dir=attempt.folder))
        finished = finish(provider.make(own, folder, attempt), folder, attempt)
        tried = Candidate(own, finished, judge(finished, own, attempt), turn + 1)
        if best is None or tried.quality.score > best.quality.score:
            worse, best = best, tried
        else:
            worse = tried
        if worse is not None:
            shutil.rmtree(worse.finished.peaks.parent)
        if best.quality.good:
            break
    assert best is not None
    return Candidate(best.brief, best.finished, best.quality, turn + 1)


def _written(made: Candidate, outputs: Sequence[str], ending: str, attempt: Attempt) -> dict[str, MadeFile]:
    """The files of a candidate, by their names."""
    encoding, finished = attempt.encoding, made.finished
    rate = carried_rate(CODECS[encoding.format, encoding.bit_depth], encoding.sample_rate or finished.piece.rate)
    names = {f"{name}{ending}": name for name in outputs}
    make = {name: _encoder(attempt.folder / f"{name}.{encoding.extension}", rate, encoding) for name in names}
    converters = {name: RateConverter(finished.piece.rate, rate) for name in outputs}
    with Writers(make, names) as writers:
        for number, (mix, parts) in enumerate(finished.blocks()):
            attempt.report("encoding", number * BLOCK, finished.piece.frames)
            pieces = {**parts, MIX: mix}
            writers.write({name: converters[name].convert(pieces[name]) for name in outputs})
        frames = round(made.brief.duration * rate)
        writers.write({name: converters[name].finish(frames) for name in outputs})
        encoded = writers.close()
    return {name: _file(each, names[name], encoding) for name, each in encoded.items()}


def _encoder(path: Path, rate: int, encoding: Encoding) -> Callable[[], Encoder]:
    return lambda: Encoder(path, rate, encoding.format, encoding.bit_depth)


def _file(encoded: Encoded, stem: str, encoding: Encoding) -> MadeFile:
    facts = {
        "stem": stem,
        "duration_seconds": encoded.seconds,
        "frames": encoded.frames,
        "sample_rate": encoded.sample_rate,
        **encoded.facts,
    }
    return MadeFile(encoded.path, encoding.content_type, facts, encoded.sha256)
