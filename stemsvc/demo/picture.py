"""One picture of a separation: the waveform of the mixture above those of the stems."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stemsvc.demo.measure import Sound

COLOURS = ("#d1495b", "#00798c", "#edae49", "#66a182", "#8d6a9f", "#2e4057", "#999999")
COLUMNS = 1600  # one minimum and maximum each


def draw_waveforms(title: str, stems: dict[str, tuple[Sound, int]], path: Path) -> Path:
    """Draw {name: ([frames, channels], rate)}, the residual among them, and their sum, the mixture, as a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    rate = next(iter(stems.values()))[1]
    mixture = np.sum([samples for samples, _ in stems.values()], axis=0)
    rows = {"mixture": mixture, **{name: samples for name, (samples, _) in stems.items()}}
    limit = max(0.05, float(np.abs(mixture).max()))
    figure, axes = plt.subplots(len(rows), 1, figsize=(12, 1.4 * len(rows) + 0.8), sharex=True, layout="constrained")
    for axis, (name, samples), colour in zip(axes, rows.items(), ("#333333", *COLOURS), strict=False):
        low, high = _envelope(samples.mean(axis=1))
        seconds = np.linspace(0, len(samples) / rate, len(low))
        axis.fill_between(seconds, low, high, color=colour, linewidth=0)
        axis.set_ylim(-limit, limit)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
        axis.set_yticks([])
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.margins(x=0)
    axes[-1].set_xlabel("seconds")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def _envelope(mono: Sound) -> tuple[Sound, Sound]:
    columns = min(COLUMNS, len(mono))
    edges = np.linspace(0, len(mono), columns, endpoint=False).astype(int)
    return np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges)
