"""Train the demo model: `python -m training.train` renders the songs, goes on from the last checkpoint, writes weights.

Needs the `worker`, `embedded` and `train` extras and the Debian packages that `fonts` and `speech` name. This is a
recipe run by hand: nothing of the product imports it, so it may import torch (see `.importlinter`).

A run is a piece of a training without a planned end: the learning rate rises, stays, and falls to nothing in the last
part of the run, so that each run ends with good weights. The next goes on from there, and its rate rises again.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import stemsvc.demo
from stemsvc.demo.measure import Sound, si_sdr
from stemsvc.demo.render import STEMS
from stemsvc.demo.voices import RATE
from training.held_out import validation_songs
from training.network import SEGMENT, make_network, save_weights
from training.optimizer import Optimizer
from training.pool import OWN, WIDE, Excerpts, render_missing

BUNDLED = Path(stemsvc.demo.__file__).parent / "demo.safetensors"
WARMUP = 100  # steps
FALL = 0.6  # share of a run's time in which the learning rate falls: at the highest, noise hides what is learned
STRESS = (0.8, 0.8, 1.1, 1.3)  # of each stem in the loss: voices and instruments that sound like them are learned last
REST = 0.15  # of what is left of the mixture, in the loss
AVERAGE = 0.998  # of the weights, from step to step; less while few steps are done


@dataclass(frozen=True)
class Plan:
    """What one run does."""

    folder: Path
    minutes: float
    batch: int
    peak: float  # highest learning rate
    remix: float  # share of excerpts whose stems come from different songs
    own_share: float  # share of excerpts of the bundled song's kind
    own: int
    wide: int
    seed: int
    validate: int  # steps between two looks at the validation songs
    save: int  # steps between two checkpoints
    compiled: bool = False  # takes minutes at the start, and a fifth off each step


def log_error(estimates: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
    """Mean error energy in dB; [batch, stem, channel, time].

    Errors more than 30 dB below the mixture do not count, so that silent stems do not dominate.
    """
    floor = 1e-3 * stems.sum(dim=1).square().mean(dim=(1, 2))[:, None] + 1e-8
    stress = torch.tensor(STRESS)
    return 10 * (torch.log10((estimates - stems).square().mean(dim=(2, 3)) + floor) * stress).mean()


def log_distortion(estimates: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
    """Mean of minus SI-SDR in dB, within +-30 dB, over the stems that are heard; [batch, stem, channel, time].

    Beside `log_error` it keeps a network that is unsure from turning a stem down to nothing: there the error's energy
    is least, and what is left of the stem may be anything.
    """
    wanted, got = stems.flatten(2), estimates.flatten(2)
    heard = wanted.square().sum(dim=2) > 1e-3 * stems.sum(dim=1).square().sum(dim=(1, 2))[:, None]
    target = (got * wanted).sum(dim=2, keepdim=True) / (wanted.square().sum(dim=2, keepdim=True) + 1e-8) * wanted
    error, signal = (got - target).square().sum(dim=2) + 1e-8, target.square().sum(dim=2) + 1e-8
    ratio = 10 * torch.log10((error + 1e-3 * signal) / (signal + 1e-3 * error))
    return (ratio * heard * torch.tensor(STRESS)).sum() / heard.sum().clamp(min=1)


def log_rest(estimates: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
    """Energy in dB of what no estimate has of the mixture, within 30 dB of it; [batch, stem, channel, time].

    A network that is unsure of a sound gives it to nobody. Whoever gets it, some stem is nearer to the truth for it.
    """
    mixture = stems.sum(dim=1)
    floor = 1e-3 * mixture.square().mean(dim=(1, 2)) + 1e-8
    return 10 * torch.log10((estimates.sum(dim=1) - mixture).square().mean(dim=(1, 2)) + floor).mean()


class Training:
    """The state of a training: the network, the average of its weights, the optimizer, the steps done."""

    def __init__(self, plan: Plan, start: Path | None) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.network = make_network(start)
        self.average = copy.deepcopy(self.network).eval()
        self.optimizer = Optimizer(self.network, plan.peak)
        self._forward = torch.compile(self.network, disable=not plan.compiled)
        self.step = 0
        self.checkpoint = plan.folder / "checkpoint.pt"

    def resume(self) -> None:
        """Go on from the checkpoint, where there is one."""
        if not self.checkpoint.exists():
            return
        saved = torch.load(self.checkpoint, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        part = self.checkpoint.with_suffix(".part")
        state: dict[str, Any] = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        torch.save({**state, "optimizer": self.optimizer.state_dict(), "step": self.step}, part)
        part.replace(self.checkpoint)

    def advance(self, stems: torch.Tensor, rate: float) -> float:
        """One step on true stems [batch, 4, 2, samples] at a learning rate; returns the loss in dB."""
        with torch.autocast("cpu", torch.bfloat16):
            estimates = self._forward(stems.sum(dim=1))
        found = estimates.float()
        loss = (log_error(found, stems) + log_distortion(found, stems)) / 2 + REST * log_rest(found, stems)
        self.network.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step(rate)
        self.step += 1
        self._follow(min(AVERAGE, (1 + self.step) / (10 + self.step)))
        return float(loss.item())

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        """Move the averaged weights towards the network's."""
        for kept, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            kept.lerp_(new, 1 - decay)


def learning_rate(peak: float, steps: int, spent: float) -> float:
    """Rise over the first `WARMUP` steps, stay, fall in a line over the last `FALL` of the time (`spent`: 0..1)."""
    return peak * min(1.0, (steps + 1) / WARMUP) * max(0.01, min(1.0, (1 - spent) / FALL))


def run(plan: Plan, training: Training, say: Callable[[str], None]) -> None:
    """Train for the plan's minutes, with checkpoints and weights on the way and at the end."""
    songs = validation_songs(plan.folder / "validation")
    excerpts = Excerpts(
        OWN.paths(plan.folder, plan.own),
        WIDE.paths(plan.folder, plan.wide),
        SEGMENT * RATE,
        plan.seed + training.step,
        remix=plan.remix,
        own_share=plan.own_share,
    )
    say(report(training, songs))
    training.network.train()
    started, first, losses = time.monotonic(), training.step, list[float]()
    while (spent := (time.monotonic() - started) / 60 / plan.minutes) < 1:
        rate = learning_rate(plan.peak, training.step - first, spent)
        losses.append(training.advance(torch.from_numpy(excerpts.batch(plan.batch)), rate))
        if training.step % 50 == 0:
            pace = (time.monotonic() - started) / (training.step - first)
            say(f"step {training.step} loss {np.mean(losses[-50:]):.2f} dB rate {rate:.1e} {pace:.2f} s/step")
        if training.step % plan.save == 0:
            training.save()
        if training.step % plan.validate == 0:
            say(report(training, songs))
            save_weights(training.average, plan.folder / "demo.safetensors")
    training.save()
    say(report(training, songs))
    say(f"demo.safetensors: sha256 {save_weights(training.average, plan.folder / 'demo.safetensors')}")


def report(training: Training, songs: dict[str, list[Sound]]) -> str:
    """SI-SDR improvement by stem of the averaged weights on both sets of validation songs, one line of JSON."""
    found = {
        name: {stem: round(float(gain), 2) for stem, gain in zip(STEMS, row, strict=True)}
        | {"mean": round(float(row.mean()), 2)}
        for name, row in ((name, improvement(training.average, songs[name])) for name in songs)
    }
    return json.dumps({"step": training.step, "improvement": found})


@torch.no_grad()
def improvement(network: torch.nn.Module, songs: list[Sound]) -> Sound:
    """Mean SI-SDR improvement over `songs` [4, 2, samples] in dB, by stem. Segments are separated on their own."""
    rows = []
    for true in songs:
        mixture = true.sum(axis=0)
        pieces = torch.split(torch.from_numpy(mixture), SEGMENT * RATE, dim=1)
        estimate = torch.cat([network(piece[None])[0] for piece in pieces], dim=2).numpy()
        rows.append([si_sdr(estimate[i], true[i]) - si_sdr(mixture, true[i]) for i in range(len(STEMS))])
    return np.asarray(np.mean(rows, axis=0), np.float32)


def read_plan(argv: list[str] | None) -> tuple[Plan, Path | None]:
    """The plan of the command line, and the weights to start with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo-dataset"), help="songs, checkpoint, log, weights")
    parser.add_argument("--minutes", type=float, default=180.0)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--peak", type=float, default=5e-4)
    parser.add_argument("--remix", type=float, default=0.6)
    parser.add_argument("--own-share", type=float, default=0.2)
    parser.add_argument("--own", type=int, default=120, help="songs of the bundled song's kind")
    parser.add_argument("--wide", type=int, default=400, help="songs of all other renderers")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--validate", type=int, default=250)
    parser.add_argument("--save", type=int, default=50)
    parser.add_argument("--compiled", action="store_true", help="by torch.compile: slow to begin, a fifth faster then")
    parser.add_argument("--start", type=Path, default=BUNDLED, help="weights to begin with")
    parser.add_argument("--from-scratch", action="store_true", help="with random weights instead")
    options = vars(parser.parse_args(argv))
    start, scratch = options.pop("start"), options.pop("from_scratch")
    return Plan(**options), None if scratch else start


def main(argv: list[str] | None = None) -> int:
    """Run the recipe."""
    torch.set_num_threads(2)
    plan, start = read_plan(argv)
    render_missing(plan.folder, {"own": plan.own, "wide": plan.wide}, processes=2)
    training = Training(plan, start)
    training.resume()
    with (plan.folder / "log").open("a", encoding="utf-8") as log:

        def say(line: str) -> None:
            for where in (log, sys.stdout):
                print(line, file=where, flush=True)

        run(plan, training, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
