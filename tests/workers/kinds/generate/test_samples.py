"""Real instruments by a SoundFont, which the program `fluidsynth` plays: here a small one of the tests' own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stemsvc.host.soundfont import SoundFont
from stemsvc.jobs.warnings import SOUNDFONT_UNUSABLE
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.engine import migrate
from stemsvc.kinds.generate.kind import KIND
from stemsvc.models.catalog import load_catalog
from stemsvc.music.genres import STEMS, genres
from stemsvc.settings import Settings
from stemsvc.storage import open_storage
from tests.programs import need
from tests.soundfonts import write_soundfont
from tests.sounds import Sound
from tests.workers.kinds.generate.test_job import run
from tests.workers.kinds.running import decoded, work
from workers.attempt.runner import Runner
from workers.host.models import Models
from workers.kinds.generate.sketch.kit import KICKS, LEVELS, SNARES
from workers.kinds.generate.sketch.samples import KEYS, LEVEL, PROGRAMS, Samples, Unplayable, kit_of
from workers.kinds.generate.sketch.score import Hit, Line, Note, Score
from workers.kinds.generate.sketch.voices import RATE, VOICES

ACOUSTIC = {"kick": "acoustic", "snare": "acoustic", "hat": "crisp"}
FINGER, PIANO = PROGRAMS["fingerbass"], PROGRAMS["piano"]
ASKED = {"prompt": "a jazz tune", "duration": 5, "stems": True}


def patient() -> None:
    """Nobody cancels."""


@pytest.fixture
def font(tmp_path: Path) -> SoundFont:
    need("fluidsynth")
    return SoundFont(write_soundfont(tmp_path / "font.sf2", {FINGER, PIANO}, drums=True))


def score() -> Score:
    return Score(
        3.0,
        drums=[Hit(1.0, "kick", 0.9), Hit(2.0, "snare", 0.9)],
        bass=[Line("fingerbass", notes=[Note(0.5, 0.9, 45, 0.8), Note(2.0, 0.5, 57, 0.8)])],
        other=[Line("saws", notes=[Note(0.0, 3.0, 60, 0.7)]), Line("organ", notes=[Note(0.0, 3.0, 64, 0.7)])],
    )


def loudest(sound: Sound, start: float, end: float) -> float:
    """Hz of the loudest partial between two moments."""
    part = sound[round(start * RATE) : round(end * RATE), 0]
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part))))) * RATE / len(part))


def test_notes_sound_when_and_as_high_as_they_are_written(font: SoundFont, tmp_path: Path) -> None:
    played = Samples(font, tmp_path, patient).stems(score(), ACOUSTIC)

    (bass,) = played["bass"]
    sound = bass.track.samples() * bass.left
    heard = np.flatnonzero(np.abs(sound[:, 0]) > 0.01) / RATE
    assert len(sound) == 3 * RATE
    assert (heard[0], heard[-1]) == (pytest.approx(0.5, abs=0.01), pytest.approx(2.5, abs=0.05))
    assert np.abs(sound[round(1.5 * RATE) : round(1.9 * RATE)]).max() < 0.01  # let go at 1.4 s
    assert loudest(sound, 0.6, 1.3) == pytest.approx(110, abs=2)
    assert loudest(sound, 2.05, 2.45) == pytest.approx(220, abs=3)
    parts = np.sqrt(np.square(sound[: len(sound) // 4410 * 4410].reshape(-1, 4410, 2)).mean(axis=(1, 2)))
    assert float(np.sqrt(np.square(parts[parts > 0.01]).mean())) == pytest.approx(LEVEL, rel=0.1)


def test_what_a_font_does_not_have_stays_ours(font: SoundFont, tmp_path: Path) -> None:
    played = Samples(font, tmp_path, patient).stems(score(), ACOUSTIC)

    # a synthesiser's saws are never sampled, and this font has no organ
    assert {stem: len(each) for stem, each in played.items()} == {"drums": 1, "bass": 1, "other": 0, "vocals": 0}
    assert Samples(font, tmp_path, patient).stems(score(), {**ACOUSTIC, "kick": "punch"})["drums"] == []


def test_every_voice_and_drum_that_is_sampled_is_one_of_ours() -> None:
    assert set(PROGRAMS) <= set(VOICES)
    assert set(KEYS) == set(LEVELS)
    kits = {(kick, snare): kit_of({"kick": kick, "snare": snare}) for kick, snare in itertools.product(KICKS, SNARES)}
    assert kits["acoustic", "brush"] == 40
    assert kits["boom", "clap"] is None
    assert all(0 <= each < 128 for each in kits.values() if each is not None)
    assert any(kit_of(genre.kit) is not None for genre in genres().values())


def test_a_piece_by_samples_is_another_one_and_the_same_each_time(
    font: SoundFont, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with work(KIND, ASKED, []) as plain:
        ours = decoded(plain.made.files["mix"].path, tmp_path)[0]
    monkeypatch.setenv("STEMSVC_SOUNDFONT", str(font.path))
    with work(KIND, ASKED, []) as ran, work(KIND, ASKED, []) as again:
        for name, file in ran.made.files.items():
            assert file.path.read_bytes() == again.made.files[name].path.read_bytes()
        assert ran.warnings == ()
        sounds = {name: decoded(ran.made.files[name].path, tmp_path)[0] for name in ("mix", *STEMS)}

    assert sounds["mix"].shape == ours.shape == (5 * RATE, 2)
    assert np.abs(sounds["mix"] - ours).max() > 0.05
    assert np.abs(sum(sounds[name] for name in STEMS) - sounds["mix"]).max() < 1e-6


@pytest.fixture
def broken(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "broken.sf2"
    if request.param == "text":
        path.write_text("no font at all")
    elif request.param == "cut":
        whole = write_soundfont(path, PROGRAMS.values(), drums=True).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "no samples":  # its list of presets is whole
        whole = write_soundfont(path, PROGRAMS.values(), drums=True).read_bytes()
        path.write_bytes(whole[: whole.index(b"shdr") + 8] + bytes(len(whole) - whole.index(b"shdr") - 8))
    return path


@pytest.mark.parametrize("broken", ["missing", "text", "cut", "folder", "no samples"], indirect=True)
def test_a_font_that_can_not_be_played_is_a_warning_and_the_piece_is_made(
    broken: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need("fluidsynth")
    with work(KIND, ASKED, []) as plain:
        ours = plain.made.files["mix"].path.read_bytes()
    monkeypatch.setenv("STEMSVC_SOUNDFONT", str(broken))
    with work(KIND, ASKED, []) as ran:
        assert ran.made.files["mix"].path.read_bytes() == ours
        assert {each.code for each in ran.warnings} == {SOUNDFONT_UNUSABLE}


def test_a_font_without_the_pieces_instruments_changes_nothing(
    font: SoundFont, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_soundfont(font.path, {127})
    with work(KIND, ASKED, []) as plain:
        ours = plain.made.files["mix"].path.read_bytes()
    monkeypatch.setenv("STEMSVC_SOUNDFONT", str(font.path))
    with work(KIND, ASKED, []) as ran:
        assert (ran.made.files["mix"].path.read_bytes(), ran.warnings) == (ours, ())


def test_without_the_program_it_says_so(font: SoundFont, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert font.lacking() == "the program fluidsynth is not installed"
    assert font.digests() == []
    with pytest.raises(Unplayable, match="not installed"):
        Samples(font, tmp_path, patient).stems(score(), ACOUSTIC)


def test_who_cancels_is_heard_while_it_plays(font: SoundFont, tmp_path: Path) -> None:
    class Canceled(Exception):
        """What the attempt raises."""

    def cancel() -> None:
        raise Canceled

    with pytest.raises(Canceled):
        Samples(font, tmp_path, cancel).stems(score(), ACOUSTIC)


@pytest.fixture
def runner(settings: Settings, font: SoundFont) -> Iterator[Runner]:
    settings.data_dir.mkdir()
    migrate(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    yield Runner.of(settings, load_catalog(), store, open_storage(settings), Models(soundfont=font))
    store.close()


def test_a_result_is_kept_for_the_font_that_played_it(runner: Runner, font: SoundFont) -> None:
    first, again = run(runner, prompt="a jazz tune"), run(runner, prompt="a jazz tune")
    assert (first.cached, again.cached) == (False, True)

    write_soundfont(font.path, {FINGER}, drums=True)  # another one at the same path
    other = run(runner, prompt="a jazz tune")
    assert not other.cached
    assert other.outputs["mix"]["sha256"] != first.outputs["mix"]["sha256"]
