"""The provider of MusicGen's models: windows of tokens that go on from one another, then sound, then stems."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from stemsvc.errors import DeviceOutOfMemory, GeneratorFailed
from stemsvc.jobs.warnings import SLOW_ON_CPU
from stemsvc.kinds.generate.brief import Brief
from stemsvc.kinds.generate.params import MELODY, GenerateParams
from stemsvc.models.generators import LIBRARY, GeneratorEntry
from workers.audio.decode_process import decode_apart
from workers.audio.rate import resample_track
from workers.audio.track import Track
from workers.kinds.base import Attempt, LocalInput
from workers.kinds.generate.musicgen.codec import decoded
from workers.kinds.generate.musicgen.condition import chroma, conditioned, from_second, words_of
from workers.kinds.generate.musicgen.load import Loaded, is_resident, loaded, translated
from workers.kinds.generate.musicgen.stems import stems_of
from workers.kinds.generate.musicgen.tokens import OnStep, sample
from workers.kinds.generate.pieces import RATE, Piece, Unable

KEPT = 0.4  # share of a window that the next one goes on from: of 30 s that is 12 s, as MusicGen's makers do it
TRIES, TRIES_ON_CPU = 3, 1  # a CPU computes for minutes


@dataclass
class MusicGen:
    """Makes pieces by one of the catalog's generators, with stems where the job wants them."""

    entry: GeneratorEntry
    params: GenerateParams
    melody: LocalInput | None
    device: str
    composes = False  # it follows words, but no form

    @classmethod
    def of(
        cls, entry: GeneratorEntry, params: GenerateParams, inputs: Sequence[LocalInput], attempt: Attempt
    ) -> MusicGen:
        """For a job. A melody counts where the generator can follow one."""
        melody = next((each for each in inputs if each.role == MELODY), None) if entry.follows_melody else None
        return cls(entry, params, melody, attempt.device)

    @property
    def name(self) -> str:
        """See `Provider`."""
        return self.entry.name

    @property
    def tries(self) -> int:
        """See `Provider`."""
        return TRIES_ON_CPU if self.device == "cpu" else TRIES

    def prepare(self, attempt: Attempt) -> None:
        """See `Provider`: the weights are here afterwards, every byte checked. Raises `licence_not_accepted` too."""
        attempt.catalog.generators.check_licence(self.entry)
        if importlib.util.find_spec(LIBRARY) is None:
            raise Unable(f"{LIBRARY} is not installed here: install stemsvc[musicgen]")
        if not is_resident(self.entry, self.device):
            why = attempt.models.lacking(
                self.entry, lambda done, total: attempt.report("downloading", done, total or 0)
            )
            if why is not None:
                raise Unable(why)

    def make(self, brief: Brief, folder: Path, attempt: Attempt) -> Piece:
        """See `Provider`."""
        try:
            track = self._track(brief, folder, attempt)
        except (GeneratorFailed, DeviceOutOfMemory) as error:
            raise Unable(error.detail) from error
        if self.device == "cpu":
            detail = f"{self.name} ran on a CPU, where a second of music takes about {self.entry.cost:.0f} s"
            attempt.warn(SLOW_ON_CPU, detail)
        parts = stems_of(track, folder, attempt) if self.params.stems else {"mix": track}
        return Piece(parts, {})

    def _track(self, brief: Brief, folder: Path, attempt: Attempt) -> Track:
        attempt.report("loading")
        of = self._loaded(attempt)
        melody = self._melody(of, folder, attempt)
        frames = math.ceil(brief.duration * of.frame_rate)
        seed = brief.seed if not brief.changes else next(iter(brief.changes.values()))
        with translated(f"{self.name} failed"):
            codes = composed(
                of, self.entry.window_seconds, words_of(brief), melody, frames, seed,
                lambda done, steps: attempt.report("generating", done, steps),
            )  # fmt: skip
            track = decoded(of, codes, folder / "codec.f32", lambda done, all_: attempt.report("decoding", done, all_))
        track = resample_track(track, RATE, folder / "made.f32", lambda: attempt.report("decoding", 1, 1))
        return replace(track, frames=min(track.frames, round(brief.duration * RATE)))

    def _loaded(self, attempt: Attempt) -> Loaded:
        try:
            store = attempt.models.puller.store
            return loaded(self.entry, self.device, [store.place(file) for file in self.entry.files])
        except OSError as error:
            raise GeneratorFailed(f"the files of {self.name} can't be read: {error.strerror or error}") from error

    def _melody(self, of: Loaded, folder: Path, attempt: Attempt) -> Tensor | None:
        """The pitch classes of the track to follow. Raises what the decoder does."""
        if self.melody is None:
            return None
        track = decode_apart(
            self.melody.path, folder / "melody.f32", attempt.limits, lambda: attempt.report("listening")
        )
        track = resample_track(track, of.sample_rate, folder / "melody-native.f32", lambda: attempt.report("listening"))
        longest = min(track.frames, round(self.entry.window_seconds * 10 * of.sample_rate))
        mono = track.read(0, longest).mean(axis=1)
        with translated("the melody can't be heard"):
            return chroma(mono, of.sample_rate, of.network.config.num_chroma)


def composed(
    of: Loaded,
    window_seconds: float,
    words: str,
    melody: Tensor | None,
    frames: int,
    seed: int,
    on_step: Callable[[int, int], None],
) -> Tensor:
    """Codes [codebooks, frames]. What a window can't hold goes on from the end of what there is.

    `on_step` gets the steps that are done, and all of them. Raises `FatalError` `generator_failed`, what it raises.
    """
    window = round(window_seconds * of.frame_rate)
    kept = round(KEPT * window)
    generator = torch.Generator().manual_seed(seed)
    codes = torch.zeros((of.pattern.codebooks, 0), dtype=torch.long)
    lengths = windows(frames, window, kept)
    steps, before = sum(of.pattern.steps(each) for each in lengths), 0
    for length in lengths:
        prompt = codes[:, -kept:] if codes.shape[1] else codes
        begins = (codes.shape[1] - prompt.shape[1]) / of.frame_rate
        own = conditioned(of, words, None if melody is None else from_second(melody, begins, of.sample_rate))
        made = sample(own, of.pattern, prompt, length, generator, _counted(on_step, before, steps))
        codes = torch.cat([codes, made], dim=1)
        before += of.pattern.steps(length)
    return codes


def windows(frames: int, window: int, kept: int) -> list[int]:
    """How many frames each window adds: the first one is whole, the others go on from `kept` frames."""
    first = min(frames, window)
    rest = frames - first
    step = window - kept
    return [first, *([step] * (rest // step)), *([rest % step] if rest % step else [])]


def _counted(on_step: Callable[[int, int], None], before: int, steps: int) -> OnStep:
    return lambda done: on_step(before + done, steps)
