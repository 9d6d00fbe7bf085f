"""Plots as SVG for pages that load nothing: stacked bars and lines over hours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 200
LEFT, BOTTOM, TOP = 48, 24, 12
TICKS = 4


def stacked_bars(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """A bar for each label, made of one part for each series. Values are not negative."""
    totals = [sum(values[index] for values in series.values()) for index in range(len(labels))]
    top, parts = _top(max(totals, default=0.0)), []
    step = (WIDTH - LEFT) / max(1, len(labels))
    heights = [0.0] * len(labels)
    for number, (name, values) in enumerate(series.items()):
        for index, value in enumerate(values):
            tall = value / top * (HEIGHT - TOP - BOTTOM)
            if not tall:
                continue
            x, y = LEFT + index * step + step * 0.1, HEIGHT - BOTTOM - heights[index] - tall
            heights[index] += tall
            said = f"{labels[index]}: {value:g} {name}"
            parts.append(
                f'<rect class="s{number}" x="{x:.1f}" y="{y:.1f}" width="{step * 0.8:.1f}" height="{tall:.1f}">'
                f"<title>{escape(said)}</title></rect>"
            )
    return _figure(title, labels, list(series), top, parts)


def lines(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """A line for each series. It is broken where a value is None."""
    known = [value for values in series.values() for value in values if value is not None]
    top, parts = _top(max(known, default=0.0)), []
    step = (WIDTH - LEFT) / max(1, len(labels))
    for number, (name, values) in enumerate(series.items()):
        before: tuple[float, float] | None = None
        for index, value in enumerate(values):
            if value is None:
                before = None
                continue
            here = (LEFT + (index + 0.5) * step, HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM))
            if before:
                ends = f'x1="{before[0]:.1f}" y1="{before[1]:.1f}" x2="{here[0]:.1f}" y2="{here[1]:.1f}"'
                parts.append(f'<line class="l{number}" {ends}/>')
            said = f"{labels[index]}: {value:g} {name}"
            parts.append(
                f'<circle class="s{number}" cx="{here[0]:.1f}" cy="{here[1]:.1f}" r="3">'
                f"<title>{escape(said)}</title></circle>"
            )
            before = here
    return _figure(title, labels, list(series), top, parts)


def _figure(title: str, labels: Sequence[str], names: Sequence[str], top: float, parts: Sequence[str]) -> str:
    keys = "".join(
        f'<span><i class="k{number}"></i>{escape(name)}</span>' for number, name in enumerate(names) if len(names) > 1
    )
    drawn = "".join((*_grid(top), *_labels(labels), *parts))
    return (
        f"<figure><figcaption>{escape(title)}{keys}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{drawn}</svg></figure>'
    )


def _grid(top: float) -> list[str]:
    found = []
    for tick in range(TICKS + 1):
        y = HEIGHT - BOTTOM - tick / TICKS * (HEIGHT - TOP - BOTTOM)
        found.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}"/>')
        found.append(f'<text class="y" x="{LEFT - 6}" y="{y + 4:.1f}">{top * tick / TICKS:g}</text>')
    return found


def _labels(labels: Sequence[str]) -> list[str]:
    """At most twelve labels: more would touch each other."""
    step, every = (WIDTH - LEFT) / max(1, len(labels)), max(1, math.ceil(len(labels) / 12))
    return [
        f'<text class="x" x="{LEFT + (index + 0.5) * step:.1f}" y="{HEIGHT - 8}">{escape(label)}</text>'
        for index, label in enumerate(labels)
        if index % every == 0
    ]


def _top(most: float) -> float:
    """The end of the axis: the next of 1, 2, 4, 5, 8 or 10 times a power of ten, which four ticks divide well."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(each * power for each in (1, 2, 4, 5, 8, 10) if each * power >= most * (1 - 1e-9))
