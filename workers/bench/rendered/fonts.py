"""General MIDI by real samples: FluidSynth plays Debian's soundfonts, TiMidity++ plays Debian's Freepats.

Debian's packages: fluidsynth, timidity, and the fonts named below. None of them is needed to run or to test stemsvc.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stemsvc.demo.voices import RATE, Sound

# start and end in seconds, MIDI key, velocity 0..1
Event = tuple[float, float, int, float]
DRUM_CHANNEL = 9
KITS = (0, 8, 16, 24, 25, 32, 40, 48)
TICKS_PER_SECOND = 1000


@dataclass(frozen=True)
class Font:
    """A set of samples: the Debian package, its file, and the program that plays it."""

    package: str
    path: Path
    licence: str
    player: str = "fluidsynth"
    kits: tuple[int, ...] = KITS
    drums_only: bool = False

    def __str__(self) -> str:
        return self.path.name


SF2, SF3 = Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3")
TRAINING_FONTS = (
    Font("fluid-soundfont-gm", SF2 / "FluidR3_GM.sf2", "MIT"),
    Font("musescore-general-soundfont-small", SF3 / "MuseScore_General_Lite.sf3", "MIT"),
    Font("timgm6mb-soundfont", SF2 / "TimGM6mb.sf2", "GPL-2"),
    Font("opl3-soundfont", SF2 / "OPL-3_FM_128M.sf2", "CC-BY-SA-4.0", kits=(0,)),
    Font("freepats", Path("/etc/timidity/freepats.cfg"), "GPL-2 with an exception for music", "timidity", kits=(0,)),
    Font("avldrums.lv2-soundfont", SF2 / "Black_Pearl_4_LV2.sf2", "CC-BY-SA-3.0", kits=(0,), drums_only=True),
    Font("avldrums.lv2-soundfont", SF2 / "Red_Zeppelin_4_LV2.sf2", "CC-BY-SA-3.0", kits=(0,), drums_only=True),
)
# Nothing that this font plays is ever trained on.
HELD_OUT_FONT = Font("csound-soundfont", SF2 / "sf_GMbank.sf2", "public domain")


def missing_packages(fonts: Iterable[Font]) -> list[str]:
    """The Debian packages of `fonts` that are not installed."""
    return sorted({font.package for font in fonts if not font.path.exists()})


def play_events(font: Font, events: list[Event], program: int, seconds: float, *, drums: bool = False) -> Sound:
    """Play `events` on `program`, or on the drum kit of that number; float32 [2, samples], without effects."""
    # a font of drums alone has its kit among the melodic programs
    channel = DRUM_CHANNEL if drums and not font.drums_only else 0
    with tempfile.TemporaryDirectory() as folder:
        score, wav = Path(folder, "score.mid"), Path(folder, "sound.wav")
        _write_midi(events, channel, program, seconds, score)
        subprocess.run(_command(font, score, wav), check=True, capture_output=True, timeout=120)
        return _read(wav, int(seconds * RATE))


def _command(font: Font, score: Path, wav: Path) -> list[str]:
    if font.player == "timidity":
        quiet = ["-EFreverb=0", "-EFchorus=0", "-EFdelay=0", "-A", "70"]
        return ["timidity", "-c", str(font.path), *quiet, "-s", str(RATE), "-Ow", "-o", str(wav), str(score)]
    quiet = ["-g", "0.5", "-R", "0", "-C", "0", "-o", "synth.dynamic-sample-loading=1"]
    return ["fluidsynth", "-ni", "-q", *quiet, "-r", str(RATE), "-F", str(wav), str(font.path), str(score)]


def _write_midi(events: list[Event], channel: int, program: int, seconds: float, path: Path) -> None:
    import mido

    moments = [(int(a * TICKS_PER_SECOND), "note_on", p, int(np.clip(v * 120, 1, 127))) for a, _, p, v in events]
    moments += [(int(b * TICKS_PER_SECOND), "note_off", p, 0) for _, b, p, _ in events]
    track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program, time=0)])
    now = 0
    for tick, kind, pitch, velocity in sorted(moments):
        track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, int(seconds * TICKS_PER_SECOND) - now)))
    song = mido.MidiFile(ticks_per_beat=TICKS_PER_SECOND // 2)  # MIDI's default is 120 beats a minute
    song.tracks.append(track)
    song.save(path)


def _read(wav: Path, total: int) -> Sound:
    from scipy.io import wavfile

    _, samples = wavfile.read(wav)
    out = np.zeros((2, total), np.float32)
    sound = samples.T[:, :total].astype(np.float32) / 32768
    out[:, : sound.shape[-1]] = sound
    return out
