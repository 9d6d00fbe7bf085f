"""Real instruments, where the operator has a SoundFont: the program `fluidsynth` plays their notes by General MIDI.

Voices that are synthesisers in life stay ours, and so do electronic kits: a SoundFont has no better ones.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stemsvc.host.soundfont import DRUM_BANK, PROGRAM, SoundFont
from stemsvc.music.genres import STEMS
from workers.audio.track import Track, scratch_errors
from workers.kinds.generate.sketch.score import Hit, Line, Score
from workers.kinds.generate.sketch.voices import RATE

# Our voices by General MIDI's programs, counted from 0.
PROGRAMS: Mapping[str, int] = {
    "piano": 0, "epiano": 4, "organ": 16, "nylon": 24, "steel": 25, "clean": 27, "crunch": 30, "upright": 32,
    "fingerbass": 33, "lowstrings": 48, "strings": 48, "choir": 52, "ah": 52, "oo": 53, "brass": 61,
}  # fmt: skip
KEYS: Mapping[str, int] = {
    "kick": 36, "snare": 38, "clap": 39, "hat": 42, "open_hat": 46, "ride": 51, "crash": 49, "tom": 48, "low_tom": 43,
    "shaker": 70, "conga": 63, "tambourine": 54,
}  # fmt: skip
SNARES = {"rim": 37, "clap": 39}  # where a genre's snare is another stroke
KITS = {"brush": 40, "crack": 16}  # brushes, power; all others: the standard kit
STANDARD = 0
ELECTRONIC = ("punch", "boom")  # kicks
DRUMS = 9  # the channel
TICKS = 1000  # a second
STROKE_SECONDS = 0.1
WAIT_SECONDS = 0.1  # between two looks at what the client wants
MOST_SECONDS = 300.0  # for one voice, of which a piece of five minutes takes about ten
GAIN = 0.4  # so that full chords stay below full scale
LEVEL = 0.15  # RMS while it sounds, to which a voice is brought: about that of our own ones
SHORT = RATE // 10  # frames, of which the loud ones count
QUIET = 1e-4  # of the loudest one's power
SILENT = 1e-10
BLOCK = 100 * SHORT
# Debian's default font would play where this one can't be loaded.
FONT_ALONE = ("-o", "synth.default-soundfont=", "-o", "synth.dynamic-sample-loading=1")
FRAME_BYTES = 8  # two samples of 32 bits
SPOKEN = 300  # characters of what fluidsynth says that are told


class Unplayable(Exception):
    """Raised where the SoundFont can't be played here; the text says why."""


# Start and end in seconds, MIDI key, velocity 0 to 1.
Struck = tuple[float, float, int, float]


@dataclass(frozen=True)
class Played:
    """A voice that samples play, in a track of all of the piece, and how loud it is on the left and on the right.

    `line` is None for the drums.
    """

    line: Line | None
    track: Track
    left: float
    right: float


def kit_of(flavours: Mapping[str, str]) -> int | None:
    """The program of the drum kit with a genre's flavours; None where that is an electronic one."""
    return None if flavours["kick"] in ELECTRONIC else KITS.get(flavours["snare"], STANDARD)


class Samples:
    """Plays voices of a score into an empty `folder`. `tick` is called all the while, and what it raises ends it."""

    def __init__(self, font: SoundFont, folder: Path, tick: Callable[[], None]) -> None:
        self._font, self._folder, self._tick = font, folder, tick
        self._count = 0

    def stems(self, score: Score, flavours: Mapping[str, str]) -> dict[str, list[Played]]:
        """What has samples in this font, by stem. Raises `Unplayable`, `TransientError` `scratch_full`, and what `tick`
        does.
        """
        if (why := self._font.lacking()) is not None:
            raise Unplayable(why)
        found: dict[str, list[Played]] = {stem: [] for stem in STEMS}
        kit = self._kit(flavours)
        if kit is not None and score.drums:
            keys = {**KEYS, "snare": SNARES.get(flavours["snare"], KEYS["snare"])}
            found["drums"] += _heard(None, self._drums(score.drums, keys, kit, score.seconds), (1.0, 1.0))
        for stem, lines in score.lines.items():
            for line in lines:
                if line.notes and line.voice in PROGRAMS and self._font.has(PROGRAMS[line.voice]):
                    found[stem] += _heard(line, self._line(line, score.seconds), line.sides)
        if self._count and not any(found.values()):
            raise Unplayable(f"{PROGRAM} plays nothing of {self._font.path}")
        return found

    def _kit(self, flavours: Mapping[str, str]) -> int | None:
        """The kit for a genre's flavours, or the standard one where the font has no such; None: ours is to play."""
        wanted = kit_of(flavours)
        choice = () if wanted is None else (wanted, STANDARD)
        return next((kit for kit in choice if self._font.has(kit, DRUM_BANK)), None)

    def _line(self, line: Line, seconds: float) -> Track:
        struck = [(each.start, each.start + each.length, each.pitch, each.velocity) for each in line.notes]
        return self._played(struck, 0, PROGRAMS[line.voice], seconds)

    def _drums(self, hits: Sequence[Hit], keys: Mapping[str, int], kit: int, seconds: float) -> Track:
        struck = [(each.start, each.start + STROKE_SECONDS, keys[each.drum], each.velocity) for each in hits]
        return self._played(struck, DRUMS, kit, seconds)

    def _played(self, struck: Sequence[Struck], channel: int, program: int, seconds: float) -> Track:
        self._count += 1
        notes, sound = (self._folder / f"samples-{self._count}.{ending}" for ending in ("mid", "f32"))
        with scratch_errors():
            write_midi(struck, channel, program, seconds, notes)
        self._run(notes, sound)
        frames = round(seconds * RATE)
        with scratch_errors():
            if sound.stat().st_size == 0:
                raise Unplayable(f"{PROGRAM} played nothing")
            with sound.open("r+b") as file:  # it plays whole blocks, and may end before the last note has died away
                file.truncate(frames * FRAME_BYTES)
        return Track(sound, "pcm_f32le", RATE, 2, frames)

    def _run(self, notes: Path, sound: Path) -> None:
        # without reverb and chorus: a genre's room comes later
        options = ["-n", "-i", "-q", "-R", "0", "-C", "0", "-g", f"{GAIN:g}", "-r", f"{RATE}", "-O", "float"]
        where = ["-T", "raw", "-E", "little", "-F", str(sound)]
        command = [PROGRAM, *options, *where, *FONT_ALONE, str(self._font.path), str(notes)]
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise Unplayable(f"the program {PROGRAM} can't be started: {error.strerror}") from error
        with child:
            try:
                said = self._wait(child)
            except BaseException:
                child.kill()
                raise
        if child.returncode or not sound.exists():
            raise Unplayable(f"{PROGRAM} failed: {said or f'it ended with {child.returncode}'}")

    def _wait(self, child: subprocess.Popen[bytes]) -> str:
        """What it says, once it has ended."""
        for _ in range(round(MOST_SECONDS / WAIT_SECONDS)):
            self._tick()
            try:
                said = child.communicate(timeout=WAIT_SECONDS)[1]
            except subprocess.TimeoutExpired:
                continue
            return said.decode("utf-8", "replace").strip()[:SPOKEN]
        raise Unplayable(f"{PROGRAM} took longer than {MOST_SECONDS:.0f} s for one voice")


def _heard(line: Line | None, track: Track, sides: tuple[float, float]) -> list[Played]:
    """A voice at its level; nothing where the player is silent, as where it can't read the font."""
    powers = np.concatenate([_powers(track.read(at, at + BLOCK)) for at in range(0, track.frames, BLOCK)])
    loudest = float(powers.max())
    if loudest < SILENT:
        return []
    gain = LEVEL / float(np.sqrt(powers[powers > QUIET * loudest].mean()))
    return [Played(line, track, gain * sides[0], gain * sides[1])]


def _powers(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean power of each tenth of a second."""
    power = np.square(samples, dtype=np.float64).mean(axis=1)
    return np.add.reduceat(power, np.arange(0, len(power), SHORT)) / SHORT


def write_midi(struck: Sequence[Struck], channel: int, program: int, seconds: float, path: Path) -> None:
    """Write notes as a MIDI file that lasts `seconds`."""
    import mido

    moments = [(round(start * TICKS), 1, key, max(1, round(127 * level))) for start, _, key, level in struck]
    moments += [(round(end * TICKS), 0, key, 0) for _, end, key, _ in struck]  # before what is struck at that moment
    track = mido.MidiTrack([mido.Message("program_change", channel=channel, program=program, time=0)])
    now = 0
    for tick, on, key, velocity in sorted(moments):
        kind = "note_on" if on else "note_off"
        track.append(mido.Message(kind, channel=channel, note=key, velocity=velocity, time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, round(seconds * TICKS) - now)))
    song = mido.MidiFile(ticks_per_beat=TICKS // 2)  # 120 beats a minute, where nothing else is said
    song.tracks.append(track)
    song.save(path)
