"""Train the demo model: `python -m training.train` renders the songs, fits the model, writes the weights.

Needs the `worker` and `train` extras and, for the sampled songs, Debian's `fluidsynth` and `fluid-soundfont-gm`.
This is a recipe run by hand: nothing of the product imports it, so it may import torch (see `.importlinter`).
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

import stemsvc.demo
from stemsvc.demo.render import STEMS
from stemsvc.demo.voices import RATE
from training.dataset import HELD_OUT, Excerpts, render_training_songs

SEGMENT = 3  # seconds
ARCHITECTURE: dict[str, Any] = {
    "sources": list(STEMS),
    "channels": 16,
    "depth": 4,
    "nfft": 2048,
    "t_layers": 2,
    "t_heads": 4,
    "bottom_channels": 0,
    "segment": SEGMENT,
    "samplerate": RATE,
}
HERE = Path(stemsvc.demo.__file__).parent


@dataclass(frozen=True)
class Stage:
    """One part of the training, with an optimizer, a loss and a mix of songs of its own."""

    steps: int
    peak: float  # highest learning rate
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    remix: float  # share of excerpts whose stems come from different songs
    sampled: float  # share of excerpts from songs played with the soundfont


def l1(estimates: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
    """Mean absolute error: robust while the model knows nothing."""
    return torch.nn.functional.l1_loss(estimates, stems)


def log_error(estimates: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
    """Error energy of each stem in dB, what SI-SDR measures; [batch, stem, channel, time].

    Errors more than 30 dB below the mixture do not count, so that silent stems do not dominate.
    """
    floor = 1e-3 * stems.sum(dim=1).square().mean(dim=(1, 2))[:, None] + 1e-8
    return 10 * torch.log10((estimates - stems).square().mean(dim=(2, 3)) + floor).mean()


# The first stage is broad. The second is closer to whole songs and to the measure on the model card.
STAGES = (
    Stage(steps=4250, peak=1e-3, loss=l1, remix=0.5, sampled=0.36),
    Stage(steps=2250, peak=4e-4, loss=log_error, remix=0.25, sampled=0.2),
)


def train(dataset: Path, *, batch: int, seed: int, synthesised: int, sampled: int, checkpoint: Path) -> HTDemucs:
    """Fit a model in all stages; returns the moving average of its weights. Resumes from `checkpoint`."""
    paths = render_training_songs(dataset, synthesised, sampled, processes=2)
    torch.manual_seed(seed)
    model = HTDemucs(**ARCHITECTURE)
    average: HTDemucs = copy.deepcopy(model)
    average.eval()
    empty: dict[str, Any] = {"stage": 0, "step": 0}
    saved = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else empty
    if checkpoint.exists():
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
    for number, stage in enumerate(STAGES[saved["stage"] :], saved["stage"]):
        optimizer = torch.optim.AdamW(model.parameters(), lr=stage.peak, betas=(0.9, 0.99), weight_decay=1e-3)
        first = saved["step"] if number == saved["stage"] else 0
        if not first:
            model.load_state_dict(average.state_dict())  # a stage starts from the average of the one before
        else:
            optimizer.load_state_dict(saved["optimizer"])
        excerpts = Excerpts(
            paths[:synthesised],
            paths[synthesised:],
            SEGMENT * RATE,
            seed + 100_000 * number + first,
            remix=stage.remix,
            sampled_share=stage.sampled,
        )

        def save(step: int, number: int = number, optimizer: torch.optim.Optimizer = optimizer) -> None:
            state = {"model": model.state_dict(), "average": average.state_dict(), "stage": number, "step": step}
            torch.save({**state, "optimizer": optimizer.state_dict()}, checkpoint)

        run_stage(stage, first, model, average, optimizer, excerpts, batch, save)
    return average


def run_stage(
    stage: Stage,
    first: int,
    model: HTDemucs,
    average: HTDemucs,
    optimizer: torch.optim.Optimizer,
    excerpts: Excerpts,
    batch: int,
    save: Callable[[int], None],
) -> None:
    """Train from step `first` to the stage's end."""
    model.train()
    started, losses = time.monotonic(), []
    for step in range(first, stage.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, stage.steps, stage.peak)
        stems = torch.from_numpy(excerpts.batch(batch))
        loss = stage.loss(model(stems.sum(dim=1)), stems)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        update_average(average, model, decay=min(0.999, (1 + step) / (10 + step)))
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            pace = (time.monotonic() - started) / (step + 1 - first)
            mean = sum(losses[-50:]) / 50
            print(f"step {step + 1}/{stage.steps} loss {mean:.5f} {pace:.2f} s/step", flush=True)
        if (step + 1) % 250 == 0:
            save(step + 1)


def learning_rate(step: int, steps: int, peak: float, warmup: int = 150) -> float:
    """Linear warm-up, then a half cosine down to a hundredth of the peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


@torch.no_grad()
def update_average(average: HTDemucs, model: HTDemucs, decay: float) -> None:
    """Move the averaged weights towards the model's."""
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        kept.lerp_(new, 1 - decay)


def save_weights(model: HTDemucs, path: Path) -> str:
    """Write half-precision safetensors as `demucs.hf.load_safetensors_model` reads them; returns the sha256."""
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    metadata = {
        "klass": "demucs.htdemucs.HTDemucs",
        "args": "[]",
        "kwargs": json.dumps(ARCHITECTURE),
        "licence": "MIT",
        "held_out_seeds": f"{HELD_OUT.start}-{HELD_OUT.stop - 1}",
    }
    save_file(state, path, metadata)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(argv: list[str] | None = None) -> int:
    """Run the recipe; the defaults are those that the bundled weights were made with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, default=Path("demo-dataset"), help="where rendered songs are kept")
    parser.add_argument("--output", type=Path, default=HERE / "demo.safetensors")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--synthesised", type=int, default=420, help="songs rendered by our own synthesis")
    parser.add_argument("--sampled", type=int, default=240, help="songs played through FluidSynth")
    options = parser.parse_args(argv)
    model = train(
        options.dataset,
        batch=options.batch,
        seed=options.seed,
        synthesised=options.synthesised,
        sampled=options.sampled,
        checkpoint=options.dataset / "checkpoint.pt",
    )
    print(f"{options.output}: sha256 {save_weights(model, options.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
