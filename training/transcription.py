"""Train the judges of notes and of drums: `python -m training.transcription`.

Songs are rendered with their notes by the demo's renderer and by the training's fonts; candidates are labelled by the
notes, and small networks learn which are true. Nothing of the held-out font is trained on. It takes about half an hour
of one core, most of it for rendering, and the fonts that `training/README.md` names. The judges go to
`workers/kinds/transcribe/models`; write their sha256 into `judge.SHA256`.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

from stemsvc.demo.render import place, play_kit, render_song
from stemsvc.demo.score import Hit, Note, Score, write_score
from stemsvc.demo.singer import sing
from stemsvc.demo.voices import RATE, Sound
from workers.audio import mono
from workers.audio.rate import resample
from workers.bench.rendered import band
from workers.bench.rendered.effects import treat
from workers.bench.rendered.fonts import TRAINING_FONTS, play_events
from workers.bench.rendered.performance import drum_keys, perform
from workers.kinds.transcribe.candidates import (
    EDGE,
    KINDS,
    Block,
    pitched,
    pitched_candidates,
    struck,
    struck_candidates,
)
from workers.kinds.transcribe.drums import DRUMS
from workers.kinds.transcribe.features import LOWEST
from workers.kinds.transcribe.pick import FRAME

OWN_SEEDS, WIDE_SEEDS = range(71_000, 71_026), range(72_000, 72_020)
KIT_SEEDS, FONT_SEEDS = range(81_000, 81_150), range(82_000, 82_400)
SECONDS, DRUM_SECONDS = 15.0, 10.0
# The judge's outputs by the score's drums, and by General MIDI's keys; other keys are shaken or rattled.
BY_NAME = {"kick": 0, "snare": 1, "clap": 2, "hat": 3, "open_hat": 4, "tom": 5, "low_tom": 5, "crash": 6, "ride": 7}
BY_KEY = {
    35: 0,
    36: 0,
    38: 1,
    40: 1,
    37: 1,
    39: 2,
    42: 3,
    44: 3,
    46: 4,
    49: 6,
    52: 6,
    55: 6,
    57: 6,
    51: 7,
    53: 7,
    59: 7,
}
BY_KEY |= dict.fromkeys((41, 43, 45, 47, 48, 50), 5)
SHAKEN = 8
LEADS = (0, 4, 22, 24, 40, 52, 53, 54, 56, 64, 65, 66, 68, 71, 73, 75, 78, 80, 81, 82, 85, 87)
NOTE_SECONDS, DRUM_TOLERANCE = 0.05, 0.04
Floats = NDArray[np.float32]
Examples = tuple[Floats, Floats, Floats]  # features, labels, weights


@dataclass(frozen=True)
class Played:
    """A stem's sound [2, samples] and its truth: rows of a start in seconds and a pitch, or a judge's output."""

    kind: str
    sound: Sound
    truth: list[tuple[float, int]]


def own_song(seed: int) -> list[Played]:
    """A song of the demo's renderer."""
    score, stems = write_score(np.random.default_rng(seed), SECONDS), render_song(seed, SECONDS)
    return [*_pitched(score, stems), Played("drums", stems["drums"], _hits(score.drums))]


def wide_song(seed: int) -> list[Played]:
    """A song of the training's fonts, singers and effects."""
    rng = np.random.default_rng(seed)
    score = perform(rng, write_score(rng, SECONDS))
    drums = font_drums(rng, score, SECONDS)
    bass, other = (make(rng, score, TRAINING_FONTS, False) for make in (band._bass, band._other))
    kind = rng.random()
    if kind < 0.35:
        vocals = place(rng, sing(rng, score.vocals, SECONDS), 0.15)
    elif kind < 0.65:
        vocals = place(rng, band._sung(rng, score, False), 0.12)
    else:
        font = band._melodic(rng, TRAINING_FONTS)
        vocals = band._sampled(rng, font, score.vocals, int(rng.choice(LEADS)), score)
    stems = {"bass": bass, "other": other, "vocals": vocals}
    stems = {name: band.level(treat(rng, name, sound)) for name, sound in stems.items()}
    return [*_pitched(score, stems), drums]


def font_drums(rng: np.random.Generator, score: Score, seconds: float) -> Played:
    """A score's drums on a drawn kit of a font."""
    font, events = TRAINING_FONTS[rng.integers(len(TRAINING_FONTS))], drum_keys(rng, score.drums)
    sound = play_events(font, events, int(rng.choice(font.kits)), seconds, drums=True)
    truth = [(start, BY_KEY.get(key, SHAKEN)) for start, _, key, _ in events]
    return Played("drums", band.level(treat(rng, "drums", sound)), truth)


def kit_drums(seed: int) -> Played:
    """Drums alone, on a kit of the demo's renderer."""
    rng = np.random.default_rng(seed)
    score = write_score(rng, DRUM_SECONDS)
    if rng.random() < 0.5:
        score = perform(rng, score)
    return Played("drums", play_kit(rng, score, int(DRUM_SECONDS * RATE)), _hits(score.drums))


def _pitched(score: Score, stems: dict[str, Sound]) -> list[Played]:
    parts: dict[str, list[Note]] = {
        "bass": score.bass,
        "vocals": score.vocals,
        "other": [note for part in score.other for note in part],
    }
    return [Played(kind, stems[kind], [(note.start, note.pitch) for note in parts[kind]]) for kind in KINDS]


def _hits(hits: list[Hit]) -> list[tuple[float, int]]:
    return [(hit.start, BY_NAME.get(hit.drum, SHAKEN)) for hit in hits]


def candidates(played: Played, scratch: Path, rng: np.random.Generator) -> Examples | None:
    """Features [n, m], labels and weights [n, outputs] of a stem's candidates; of the false ones some.

    None for a stem that sounds in another octave than it is written, as some programs do.
    """
    both = np.repeat(played.sound.mean(axis=0)[:, None], 2, axis=1).astype(np.float32)
    wave = resample(both, RATE, mono.RATE)[:, 0]
    wave.tofile(scratch)
    sound = mono.Sound(scratch, len(wave), float(np.abs(wave).max()))
    blocks = (struck if played.kind == "drums" else pitched)(sound, lambda done, of: None)
    heard = list(blocks)
    if played.kind != "drums" and not _as_written(heard, played.truth):
        return None
    found = [_labelled(block, played, rng) for block in heard]
    return tuple(np.concatenate(each) for each in zip(*found, strict=True))  # type: ignore[return-value]


def _as_written(blocks: list[Block], truth: list[tuple[float, int]]) -> bool:
    """Whether the notes sound at their own pitch more than one or two octaves away."""
    notes = np.concatenate([block.notes for block in blocks])
    shown = {}
    for away in (-24, -12, 0, 12, 24):
        places = [(int(start / FRAME) + 2, pitch - LOWEST + away) for start, pitch in truth]
        shares = [notes[at : at + 18, column].mean() for at, column in places if 0 <= column < 88 and at < len(notes)]
        shown[away] = float(np.mean(shares)) if shares else 0.0
    return shown[0] == max(shown.values()) and shown[0] > 0.25


def _labelled(block: Block, played: Played, rng: np.random.Generator) -> Examples:
    if played.kind == "drums":
        frames, features = struck_candidates(block)
        times, salience = (block.start + frames - EDGE) * FRAME, features[:, -3:].max(axis=1)
        labels = np.zeros((len(frames), len(DRUMS)), np.float32)
        weights = np.ones_like(labels)
        for output in range(len(DRUMS)):
            truth = [start for start, drum in played.truth if drum == output]
            _label(times, salience, truth, DRUM_TOLERANCE, labels[:, output], weights[:, output])
        return features, labels, weights
    frames, columns, features = pitched_candidates(block, played.kind)
    times, salience = (block.start + frames - EDGE) * FRAME, features[:, -5]
    labels = np.zeros((len(frames), 1), np.float32)
    weights = np.ones_like(labels)
    for pitch in sorted({pitch for _, pitch in played.truth}):
        at = np.flatnonzero(columns == pitch - LOWEST)
        one, weight = np.zeros(len(at), np.float32), np.ones(len(at), np.float32)
        _label(times[at], salience[at], [s for s, p in played.truth if p == pitch], NOTE_SECONDS, one, weight)
        labels[at, 0], weights[at, 0] = one, weight
    wrong = np.flatnonzero((labels[:, 0] == 0) & (weights[:, 0] > 0))
    hard = wrong[np.argsort(-salience[wrong])[:260]]
    kept = np.concatenate([np.flatnonzero(labels[:, 0]), hard, rng.permutation(wrong)[:260]])
    return features[kept], labels[kept], weights[kept]


def _label(times: Floats, salience: Floats, truth: list[float], near: float, labels: Floats, weights: Floats) -> None:
    """Of the candidates near a true start the most salient one is true, and nothing is said of the others."""
    for start in truth:
        at = np.flatnonzero(np.abs(times - start) <= near)
        if len(at):
            weights[at[labels[at] == 0]] = 0
            best = at[np.argmax(salience[at] - 4 * np.abs(times[at] - start))]
            labels[best], weights[best] = 1, 1


def fit(
    features: Floats, labels: Floats, weights: Floats, hidden: tuple[int, ...], epochs: int, dropout: float
) -> dict[str, Floats]:
    """A judge's tensors, by AdamW on the binary cross entropy, with a learning rate of one cycle."""
    torch.manual_seed(0)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    given = torch.from_numpy(np.clip((features - mean) / spread, -8, 8))
    wanted, counted = torch.from_numpy(labels), torch.from_numpy(weights)
    sizes = [features.shape[1], *hidden, labels.shape[1]]
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    parts = [each for layer in layers for each in (torch.nn.Dropout(dropout), layer, torch.nn.ReLU())]
    network, batch = torch.nn.Sequential(*parts[:-1]), 512
    steps = epochs * (len(given) // batch + 1)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps + 1)
    for _ in range(epochs):
        order = torch.randperm(len(given))
        for start in range(0, len(given), batch):
            at = order[start : start + batch]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(given[at]), wanted[at], counted[at])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    found = {"mean": mean, "spread": spread}
    for number, layer in enumerate(layers):
        found[f"weights{number}"] = np.ascontiguousarray(layer.weight.detach().numpy().T)
        found[f"biases{number}"] = layer.bias.detach().numpy()
    return found


def kit_song(seed: int) -> list[Played]:
    """Drums alone, on a kit of a font."""
    rng = np.random.default_rng(seed)
    return [font_drums(rng, perform(rng, write_score(rng, DRUM_SECONDS)), DRUM_SECONDS)]


SONGS: tuple[tuple[Callable[[int], list[Played]], range], ...] = (
    (own_song, OWN_SEEDS),
    (wide_song, WIDE_SEEDS),
    (lambda seed: [kit_drums(seed)], KIT_SEEDS),
    (kit_song, FONT_SEEDS),
)


def main() -> int:
    """Render, train and write both judges, or one."""
    judges = {"notes": ((48, 24), 10, 0.1), "drums": ((64, 32), 40, 0.2)}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("workers/kinds/transcribe/models"))
    parser.add_argument("--only", choices=list(judges))
    options = parser.parse_args()
    rng, scratch = np.random.default_rng(0), options.output / "scratch.f32"
    wanted = [options.only] if options.only else list(judges)
    examples: dict[str, list[Examples]] = {name: [] for name in wanted}
    for render, seeds in SONGS:
        for seed in seeds:
            for stem in render(seed):
                name = "drums" if stem.kind == "drums" else "notes"
                if name in examples and (found := candidates(stem, scratch, rng)) is not None:
                    examples[name].append(found)
        print("heard", len(seeds), "songs", flush=True)
    for name in wanted:
        features, labels, weights = (np.concatenate(each) for each in zip(*examples[name], strict=True))
        content = save(fit(features, labels, weights, *judges[name]))
        (options.output / f"{name}.safetensors").write_bytes(content)
        print(name, len(features), "candidates", hashlib.sha256(content).hexdigest())
    scratch.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
