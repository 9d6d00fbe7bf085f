"""Train the demo model: `python -m stemsvc.demo.train` renders the songs, fits the model, writes the weights.

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
from pathlib import Path
from typing import Any

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

from stemsvc.demo.dataset import HELD_OUT, Excerpts, render_training_songs
from stemsvc.demo.render import STEMS
from stemsvc.demo.voices import RATE

SEGMENT = 3  # seconds
ARCHITECTURE: dict[str, Any] = {
    "sources": list(STEMS), "channels": 16, "depth": 4, "nfft": 2048, "t_layers": 2, "t_heads": 4,
    "bottom_channels": 0, "segment": SEGMENT, "samplerate": RATE,
}  # fmt: skip
HERE = Path(__file__).parent


def train(
    dataset: Path, *, steps: int, batch: int, seed: int, synthesised: int, sampled: int, checkpoint: Path
) -> HTDemucs:
    """Fit a model and return the exponential moving average of its weights; resumes from `checkpoint`."""
    paths = render_training_songs(dataset, synthesised, sampled, processes=2)
    torch.manual_seed(seed)
    model = HTDemucs(**ARCHITECTURE)
    average: HTDemucs = copy.deepcopy(model)
    average.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=1e-3)
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    excerpts = Excerpts(paths, SEGMENT * RATE, seed + first)
    model.train()
    started, losses = time.monotonic(), []
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        stems = torch.from_numpy(excerpts.batch(batch))
        loss = torch.nn.functional.l1_loss(model(stems.sum(dim=1)), stems)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        update_average(average, model, decay=min(0.999, (1 + step) / (10 + step)))
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            pace = (time.monotonic() - started) / (step + 1 - first)
            mean = sum(losses[-50:]) / 50
            print(f"step {step + 1}/{steps} loss {mean:.5f} {pace:.2f} s/step", flush=True)
        if (step + 1) % 250 == 0:
            state = {"model": model.state_dict(), "average": average.state_dict(), "step": step + 1}
            torch.save({**state, "optimizer": optimizer.state_dict()}, checkpoint)
    return average


def learning_rate(step: int, steps: int, peak: float = 1e-3, warmup: int = 150) -> float:
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
    parser.add_argument("--steps", type=int, default=4800)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--synthesised", type=int, default=420, help="songs rendered by our own synthesis")
    parser.add_argument("--sampled", type=int, default=240, help="songs played through FluidSynth")
    options = parser.parse_args(argv)
    model = train(
        options.dataset, steps=options.steps, batch=options.batch, seed=options.seed,
        synthesised=options.synthesised, sampled=options.sampled, checkpoint=options.dataset / "checkpoint.pt",
    )  # fmt: skip
    print(f"{options.output}: sha256 {save_weights(model, options.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
