"""Figures of the engine alone. They need only torch, numpy and demucs, so they run on a bare GPU machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stemsvc.host.processor import fast_gains, flags
from workers.bench.arithmetic import Peak, fractions, work_of
from workers.bench.table import Figure, Say, in_turn
from workers.engine.separate import Separator

Sound = NDArray[np.float32]
RATE = 44100
STEMS = ("drums", "bass", "other", "vocals")
SEGMENT_BYTES = 11e9  # that one segment of htdemucs moves through memory in fp32 (research, 2026-11)


@dataclass(frozen=True)
class Size:
    """How large the networks are: `full` is the published htdemucs, `small` is for trials of the program."""

    channels: int
    layers: int
    bottom: int
    segment: Fraction


SIZES = {"full": Size(48, 5, 512, Fraction(39, 5)), "small": Size(8, 3, 16, Fraction(2))}


def network(size: Size, seed: int = 0) -> Any:
    """An HTDemucs with random weights, drawn from `seed`."""
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(seed)
    made = HTDemucs(
        list(STEMS),
        channels=size.channels,
        t_layers=size.layers,
        bottom_channels=size.bottom,
        dconv_mode=3,
        samplerate=RATE,
        segment=size.segment,
    )
    with torch.no_grad():  # a fresh network's residual branches are scaled to almost 0: their errors would not show
        for name, parameter in made.named_parameters():
            if name.endswith(".scale"):
                parameter.uniform_(0.2, 0.6)
    return made.eval()


def bag(*networks: Any, weights: list[list[float]] | None = None) -> Any:
    """A bag of the networks; `weights[network][stem]` are all 1 if not given."""
    from demucs.apply import BagOfModels

    return BagOfModels(list(networks), weights).eval()


def music(seconds: float, seed: int = 0) -> Sound:
    """Notes, beats and noise, [frames, 2] at `RATE`."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    notes = np.sin(2 * np.pi * (110 * 2 ** (np.floor(time * 2) % 12 / 12)) * time)
    beats = rng.normal(size=len(time)) * np.exp(-((time * 4) % 1) * 12)
    sides = [0.2 * notes + 0.2 * beats, 0.15 * notes + 0.2 * beats + 0.01 * rng.normal(size=len(time))]
    return np.stack(sides, axis=1).astype(np.float32)


def upstream(model: Any, mixture: Sound, device: str = "cpu") -> Sound:
    """Separate as upstream's `Separator` does around `apply_model`; returns [stems, frames, 2]."""
    from demucs.apply import apply_model

    wav = torch.from_numpy(np.ascontiguousarray(mixture.T))
    mono = wav.mean(0)
    mean, std = mono.mean(), mono.std() + 1e-8
    with torch.no_grad():
        out = apply_model(model, ((wav - mean) / std)[None], shifts=0, device=device)[0] * std + mean
    return out.transpose(1, 2).numpy()


def decibels(got: Sound, wanted: Sound) -> float:
    """Energy of the wanted sound over energy of the error, in dB."""
    error = float(np.sum((got.astype(np.float64) - wanted) ** 2))
    return 10 * math.log10(max(float(np.sum(wanted.astype(np.float64) ** 2)), 1e-30) / max(error, 1e-30))


def least(got: dict[str, Sound], wanted: Sound) -> float:
    """Decibels of the stem that is furthest from upstream's."""
    return min(decibels(sound, wanted[STEMS.index(stem)]) for stem, sound in got.items())


def cpu_figures(size: Size, seconds: float, repeats: int, cache: Path | None, say: Say) -> Iterator[Figure]:
    """Speed and fidelity of one network on a CPU, and of a bag of four asked for one stem."""
    one = bag(network(size))
    mixture = music(seconds)
    ours, fast, peak = Separator(one, cache=cache), Separator(one, precision="fast", cache=cache), Peak()
    runs = {"fast": lambda: fast.separate_array(mixture)} if fast_gains("cpu") else {}
    say(f"one network, {seconds:g} s of music: ours and upstream in turn")
    took = in_turn(
        repeats,
        say,
        ours=lambda: ours.separate_array(mixture),
        upstream=lambda: upstream(one, mixture),
        **runs,
        sgemm=peak.sample,
    )
    passes = ours.count_segments(len(mixture), STEMS)
    yield from fractions("HTDemucs", work_of(one.models[0], int(size.segment * RATE)), passes, took["ours"], peak)
    wanted = upstream(one, mixture)
    detail = f"{seconds / took['ours']:.2f} times real time, upstream {seconds / took['upstream']:.2f}"
    # upstream reaches a smaller part of what wider vectors can do
    bar = 0.45 if "avx512f" in flags() else 0.6
    yield Figure("CPU: ours / upstream", detail, took["ours"] / took["upstream"], bar=bar)
    close = least(ours.separate_array(mixture), wanted)
    yield Figure("CPU fp32: least stem against upstream", "", close, " dB", bar=100, floor=True)
    if fast_gains("cpu"):
        close = least(fast.separate_array(mixture), wanted)
        detail = f"opt-in, {took['fast'] / took['upstream']:.2f} of upstream's time"
        yield Figure("CPU fast (bf16): least stem against upstream", detail, close, " dB")
        gain = took["ours"] / took["fast"]
        yield Figure("CPU fast (bf16): gain over full precision", "", gain, " times", bar=1.5, floor=True)

    eye = [[float(row == column) for column in range(4)] for row in range(4)]
    four = bag(*(network(size, seed) for seed in range(4)), weights=eye)
    short = mixture[: round(min(seconds, 3 * float(size.segment)) * RATE)]
    ours = Separator(four, cache=cache)
    say(f"a bag of four, one stem, {len(short) / RATE:g} s of music")
    took = in_turn(
        max(1, repeats - 1),
        say,
        ours=lambda: ours.separate_array(short, ("vocals",)),
        upstream=lambda: upstream(four, short),
    )
    yield Figure(
        "htdemucs_ft's size, one stem: ours / upstream", "", took["ours"] / took["upstream"], bar=0.2, aim=0.13
    )


def cuda_figures(
    size: Size, seconds: float, repeats: int, device: str, say: Say, *, compiled: bool
) -> Iterator[Figure]:
    """Speed and fidelity in every precision, and how near mixed precision comes to the card's own limits."""
    one = bag(network(size))
    mixture = music(seconds)
    separators = {name: Separator(one, device, name) for name in ("mixed", "fp32", "fast")}
    if compiled:
        separators["mixed, compiled"] = Separator(one, device, "mixed", compiled=True)

    def timed(separator: Separator) -> None:
        separator.separate_array(mixture)
        torch.cuda.synchronize(device)

    runs: dict[str, Any] = {"upstream": lambda: upstream(one, mixture, device)}
    runs |= {name: lambda separator=separator: timed(separator) for name, separator in separators.items()}
    say(f"one network, {seconds:g} s of music on {torch.cuda.get_device_name(device)}")
    took = in_turn(repeats, say, **runs)
    switches = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    wanted = upstream(one, mixture, device)
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = switches
    bars: dict[str, tuple[float | None, float | None]] = {"mixed": (0.3, 0.1)}
    floors: dict[str, float | None] = {"mixed": 60, "fp32": 100}
    segments = one.models[0].segment and separators["mixed"].count_segments(len(mixture), STEMS)
    for name, separator in separators.items():
        bar, aim = bars.get(name, (None, None))
        detail = f"{seconds / took[name]:.0f} times real time, upstream {seconds / took['upstream']:.0f}"
        yield Figure(f"CUDA {name}: ours / upstream", detail, took[name] / took["upstream"], bar=bar, aim=aim)
        close = least(separator.separate_array(mixture), wanted)
        yield Figure(f"CUDA {name}: least stem against upstream", "", close, " dB", bar=floors.get(name), floor=True)
    floor, detail = _floor(one.models[0], device)
    share = floor * segments / took["mixed"]
    yield Figure("CUDA mixed: share of the roofline", detail, share, aim=0.5, floor=True)
    free, whole = torch.cuda.mem_get_info(device)
    batch = separators["mixed"]._batch.size(0)
    yield Figure("CUDA mixed: segments in a batch", f"{(whole - free) / 1e9:.0f} GB of the card in use", batch)


def _floor(network: Any, device: str) -> tuple[float, str]:
    """The least seconds that a segment can take on this card, and a text with the measured ceilings behind them.

    Half of the work, linears and attention, counts at the rate of fp16 products; the rest counts at that of fp32.
    """
    work = work_of(network, int(network.segment * network.samplerate), device)
    half, single = _product_rate(device, torch.float16), _product_rate(device, torch.float32)
    copied = torch.empty(1 << 28, dtype=torch.float32, device=device)
    target = torch.empty_like(copied)
    bandwidth = 2 * 4 * (1 << 28) / _seconds(device, lambda: target.copy_(copied))
    arithmetic = work.products / half + work.convolutions / single
    floor = max(arithmetic, SEGMENT_BYTES / bandwidth)
    detail = (
        f"{work.total / 1e9:.0f} GFLOP a segment; measured {half / 1e12:.0f} fp16 and "
        f"{single / 1e12:.0f} fp32 TFLOP/s, {bandwidth / 1e12:.1f} TB/s; floor {floor * 1e3:.2f} ms a segment"
    )
    return floor, detail


def _product_rate(device: str, dtype: torch.dtype) -> float:
    left = torch.randn(8192, 8192, device=device).to(dtype)
    right = torch.randn(8192, 8192, device=device).to(dtype)
    return 2 * 8192**3 / _seconds(device, lambda: left @ right)


def _seconds(device: str, run: Any) -> float:
    """Median seconds of ten runs by the device's clock, after three runs to warm up."""
    times: list[float] = []
    for _ in range(13):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        run()
        end.record()
        torch.cuda.synchronize(device)
        times.append(start.elapsed_time(end) / 1e3)
    return sorted(times[3:])[5]
