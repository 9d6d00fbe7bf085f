"""A picture of an analysis: waveform, beats, chords and sections over time, as SVG. No text of others is in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workers.audio.analysis.analysis import Analysis

WIDTH, WAVE, BAND = 1200, 160, 22
HEIGHT = WAVE + 3 * BAND
MOST_BEATS, LEAST_LABEL = 1200, 22  # beats that are drawn; pixels that a label needs
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#bab0ac")


def draw(analysis: Analysis) -> str:
    """The picture as one SVG document."""
    parts = "\n".join(_parts(analysis))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{_title(analysis)}">\n<rect width="{WIDTH}" height="{HEIGHT}" '
        f'fill="#fff"/>\n{parts}\n</svg>\n'
    )


def _title(analysis: Analysis) -> str:
    pulse, key = analysis.pulse, analysis.key
    tempo = f"{pulse.bpm:.1f} beats a minute" if pulse.bpm else "no tempo"
    return f"{tempo}, {key.name if key else 'no key'}"


def _parts(analysis: Analysis) -> Iterator[str]:
    seconds = max(analysis.features.seconds, 1e-9)

    def at(second: float) -> float:
        return round(WIDTH * second / seconds, 2)

    for section in analysis.sections:
        colour = COLOURS[(ord(section.label) - ord("A")) % len(COLOURS)]
        yield _box(at(section.start), at(section.end), 0, colour, section.label)
    if len(analysis.pulse.beats) <= MOST_BEATS:
        bars = frozenset(analysis.pulse.downbeats)
        for beat in analysis.pulse.beats:
            strong = beat in bars
            colour, top = ("#888", BAND) if strong else ("#ddd", BAND + WAVE // 4)
            yield f'<line x1="{at(beat)}" x2="{at(beat)}" y1="{top}" y2="{BAND + WAVE}" stroke="{colour}"/>'
    yield f'<path d="{_wave(analysis)}" fill="#1f3a5f" fill-opacity="0.75"/>'
    for chord in analysis.chords:
        shade = "#eef2f7" if chord.label.endswith("m") else "#fdf3e3"
        yield _box(at(chord.start), at(chord.end), BAND + WAVE, shade, chord.label)
    yield f'<text x="4" y="{HEIGHT - 7}">{_title(analysis)}</text>'


def _wave(analysis: Analysis) -> str:
    wave = np.clip(analysis.features.waveform, -1, 1)
    x = np.arange(len(wave)) * WIDTH / len(wave)
    y = BAND + WAVE / 2 * (1 - wave)
    forth = [f"{a:.0f} {b:.1f}" for a, b in zip(x, y[:, 1], strict=True)]
    back = [f"{a:.0f} {b:.1f}" for a, b in zip(x[::-1], y[::-1, 0], strict=True)]
    return f"M{' L'.join([*forth, *back])} Z"


def _box(left: float, right: float, top: int, colour: str, label: str) -> str:
    width = round(max(0.5, right - left), 2)
    box = f'<rect x="{left}" y="{top}" width="{width}" height="{BAND}" fill="{colour}" stroke="#fff"/>'
    if width < LEAST_LABEL:
        return box
    return f'{box}<text x="{left + 4}" y="{top + 15}">{label}</text>'
