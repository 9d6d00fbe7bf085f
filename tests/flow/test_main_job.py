"""The main job, end to end on real processes: a song in over HTTP, stems out by signed URL."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from pytest_celery import CeleryTestSetup
from stemsvc_client import Job, UsageError

from stemsvc.demo.measure import read_sound, si_sdr
from stemsvc.demo.render import STEMS, render_song
from tests.containers import pcm16, wav
from tests.flow.conftest import Service
from tests.processes import wait_for
from tests.sounds import FORMATS, Sound, write_sound
from workers.audio.decode import Limits, decode
from workers.audio.rate import resample

# A seed that neither training nor the held-out songs use.
SEED, SECONDS = 9300, 9.0
# What a format is sent as: a rate and layout of its own where it can.
VARIANTS = {
    "song.wav": (44100, "stereo"),
    "song-24.wav": (96000, "stereo"),
    "song-float.wav": (48000, "5.1"),
    "song.flac": (44100, "stereo"),
    "song.mp3": (44100, "stereo"),
    "song.ogg": (48000, "stereo"),
    "song.opus": (48000, "stereo"),
    "song.m4a": (44100, "stereo"),
    "song.aac": (48000, "stereo"),
    "song.aiff": (44100, "mono"),
    "song.webm": (48000, "stereo"),
}


def true_stems(rate: int) -> dict[str, Sound]:
    return {stem: resample(sound.T, 44100, rate) for stem, sound in render_song(SEED, SECONDS).items()}


def send(service: Service, folder: Path, name: str, **fields: str) -> tuple[Job, dict[str, Sound]]:
    """Send the song in the format of `name`; the job and the true stems as that file carries them."""
    rate, layout = VARIANTS[name]
    stems = true_stems(rate)
    mixture = np.sum([stems[stem] for stem in STEMS], axis=0)
    if layout == "mono":
        stems = {stem: np.repeat(sound.mean(axis=1, keepdims=True), 2, axis=1) for stem, sound in stems.items()}
        mixture = mixture.mean(axis=1, keepdims=True)
    elif layout == "5.1":
        mixture = np.pad(mixture, ((0, 0), (0, 4)))
    path = write_sound(folder / name, mixture, rate, layout)
    return service.client.submit(path, **fields), stems


def fetch(service: Service, job: Job, folder: Path) -> dict[str, tuple[Sound, int]]:
    """Download every stem by its URL and check it against what the job says of it."""
    found = {}
    for name, stem in job["stems"].items():
        path = service.client.download(stem["url"], folder / f"{job['id']}-{name}")
        assert path.stat().st_size == stem["bytes"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == stem["sha256"]
        assert -70 < stem["loudness_lufs"] < stem["peak_db"] <= stem["true_peak_db"]
        assert (stem["silent"], stem["clipped"]) == (False, stem["clipped_samples"] > 0)
        found[name] = read_sound(path)
    return found


@pytest.fixture(params=["embedded", "production"])
def backing(request: pytest.FixtureRequest) -> dict[str, str]:
    return {} if request.param == "embedded" else dict(request.getfixturevalue("production"))


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded", "production"], indirect=True)
def test_every_input_format_comes_back_as_its_stems(
    running: Service, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # every format on PostgreSQL and S3, one of each kind where a folder and SQLite do
    assert set(VARIANTS) == set(FORMATS)
    names = list(VARIANTS) if "production" in request.node.name else ["song-float.wav", "song.mp3"]
    sent = {name: send(running, tmp_path, name) for name in names}

    for name, (queued, stems) in sent.items():
        job = running.client.wait(queued["id"], 180)
        assert job["state"] == "succeeded", (name, job["error"])
        rate, _ = VARIANTS[name]
        frames = round(SECONDS * rate)
        for stem, (sound, stem_rate) in fetch(running, job, tmp_path).items():
            assert stem_rate == rate, name
            assert len(sound) == job["source"]["frames"] == job["stems"][stem]["frames"]
            # raw AAC carries its encoder's padding: everything else has the exact length
            assert len(sound) == frames or (name == "song.aac" and 0 <= len(sound) - frames < 4096)
        _check_quality(name, running, job, stems, tmp_path)
    _check_several_formats(running, tmp_path)
    assert not any((running.folder / "scratch").iterdir())


def _check_several_formats(service: Service, folder: Path) -> None:
    """One job in two formats: both have every stem, and its archive is a zip of exactly these files."""
    queued, _ = send(service, folder, "song.flac", formats="flac,mp3")
    job = service.client.wait(queued["id"], 180)
    assert job["state"] == "succeeded", job["error"]
    types = sorted(each["content_type"] for each in job["files"].values())
    assert types == ["audio/flac"] * len(STEMS) + ["audio/mpeg"] * len(STEMS)

    answer = httpx.get(job["archive"]["url"], timeout=60)

    assert int(answer.headers["Content-Length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        packed = sorted(hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist())
    assert packed == sorted(each["sha256"] for each in job["files"].values())


def _check_quality(name: str, service: Service, job: Job, stems: dict[str, Sound], folder: Path) -> None:
    """SI-SDR improvement over the mixture of at least 8 dB in the mean of the stems."""
    mixture = np.sum([stems[stem] for stem in STEMS], axis=0)
    got = fetch(service, job, folder)
    gains = []
    for stem in STEMS:
        sound, true = got[stem][0], stems[stem]
        if name == "song.aac":  # its decoder starts late by the encoder's delay
            sound = sound[1024:]
        length = min(len(sound), len(true))
        gains.append(si_sdr(sound[:length], true[:length]) - si_sdr(mixture, true))
    assert np.mean(gains) >= 8, (name, gains)


@pytest.mark.long
@pytest.mark.parametrize("backing", ["production"], indirect=True)
def test_progress_comes_segment_by_segment(running: Service, tmp_path: Path) -> None:
    queued, _ = send(running, tmp_path, "song.flac")
    seen: list[float] = []
    expected: list[tuple[float, float | None]] = []

    def look(job: Job) -> None:
        seen.append(job["progress"]["fraction"])
        expected.append((seen[-1], job["progress"]["eta_seconds"]))

    job = running.client.wait(queued["id"], 120, look)

    # before the first segment and after the last nobody can say how long it takes
    assert {eta for fraction, eta in expected if fraction in (0.0, 1.0)} == {None}
    # 9 s in strides of 2.25 s are four segments: no other fraction can appear
    assert set(seen) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert seen == sorted(seen)
    assert [move["to"] for move in job["timeline"]] == ["queued", "running", "succeeded"]


OUTPUTS = (("wav", "16"), ("wav", "24"), ("wav", "float32"), ("flac", "24"), ("mp3", ""), ("aac", ""), ("opus", ""))
ROUNDING = {"16": 5e-5, "24": 1e-6, "float32": 1e-6}


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
def test_every_output_format_has_the_exact_length_and_adds_up_to_the_song(running: Service, tmp_path: Path) -> None:
    fields = {"stems": "vocals,drums", "residual": "true"}
    sent = {
        output: send(running, tmp_path, "song.flac", format=output[0], bit_depth=output[1], **fields)[0]
        for output in OUTPUTS
    }
    mixture = read_sound(tmp_path / "song.flac")[0]
    for (format, depth), queued in sent.items():
        job = running.client.wait(queued["id"], 120)
        assert list(job["stems"]) == ["drums", "vocals", "residual"]
        total = np.zeros_like(mixture)
        for name, stem in job["stems"].items():
            path = running.client.download(stem["url"], tmp_path / name)
            track = decode(path, tmp_path / f"{name}.f32", Limits(60))
            assert (track.sample_rate, track.frames) == ((48000, 432000) if format == "opus" else (44100, 396900))
            total = total + np.array(track.samples()) if format in ("wav", "flac") else total
        if format in ("wav", "flac"):
            assert np.abs(total - mixture).max() < ROUNDING[depth], format


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "letter.mp3": (b"Dear stemsvc, this is a letter.\n" * 300, "not_audio"),
    "zeros.wav": (bytes(5000), "not_audio"),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + bytes(500), "not_audio"),
}


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
def test_bad_files_end_in_a_code_and_leave_nothing(running: Service, tmp_path: Path) -> None:
    sound = np.sum(list(render_song(SEED, 4.0).values()), axis=0).T
    wav = write_sound(tmp_path / "song.wav", sound, 44100).read_bytes()
    cases = {
        **BAD_FILES,
        "headless.wav": (wav[: wav.index(b"data") + 8], "audio_truncated"),
        "none.wav": (wav[: wav.index(b"data") + 4] + bytes(4), "no_samples"),
    }
    jobs = {}
    for name, (data, _) in cases.items():
        (tmp_path / name).write_bytes(data)
        jobs[name] = running.client.submit(tmp_path / name)

    for name, (_, code) in cases.items():
        job = running.client.wait(jobs[name]["id"], 60)
        assert (job["state"], job["error"] and job["error"]["code"], job["attempt"]) == ("failed", code, 1), name
    wait_for("the files to be erased", lambda: not [p for p in (running.folder / "objects").rglob("*") if p.is_file()])
    assert not any((running.folder / "scratch").iterdir())


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
def test_half_a_file_and_a_piped_one_are_separated_by_form_and_by_upload(running: Service, tmp_path: Path) -> None:
    sound = np.sum(list(render_song(SEED, 4.0).values()), axis=0).T
    mp3 = write_sound(tmp_path / "song.mp3", sound, 44100).read_bytes()
    cases = {
        "half.mp3": (mp3[: len(mp3) // 2], ["audio_truncated"]),
        "lying.wav": (wav(pcm16(sound))[:100_000], ["audio_truncated"]),
        "piped.wav": (wav(pcm16(sound), 0xFFFFFFFF), []),
    }
    for name, (data, codes) in cases.items():
        (tmp_path / name).write_bytes(data)
        queued = [running.client.submit(tmp_path / name, stems="vocals", cache="false")]
        upload = running.client.upload(tmp_path / name)
        queued.append(running.client.submit_upload(upload, stems="vocals", cache=False))
        jobs = [running.client.wait(each["id"], 60) for each in queued]
        assert [job["state"] for job in jobs] == ["succeeded"] * 2, name
        assert [[each["code"] for each in job["warnings"]] for job in jobs] == [codes] * 2, name
        assert jobs[0]["source"] == jobs[1]["source"], name


@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
@pytest.mark.long
def test_a_body_above_the_limit_is_refused_in_words(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(bytes(30_000_000))
    with pytest.raises(UsageError) as caught:
        service.client.submit(path)

    assert caught.value.code == "file_too_large"


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
def test_a_worker_that_is_killed_and_comes_back_takes_the_next_job(
    running: Service, celery_setup: CeleryTestSetup, tmp_path: Path
) -> None:
    celery_setup.worker.kill()
    queued, _ = send(running, tmp_path, "song.flac")
    assert running.client.job(queued["id"])["state"] == "queued"

    celery_setup.worker.restart()

    assert running.client.wait(queued["id"], 120)["state"] == "succeeded"


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
@pytest.mark.parametrize("models", [("htdemucs",)])
def test_published_weights_that_cannot_be_had_fail_with_advice(running: Service, tmp_path: Path) -> None:
    queued, _ = send(running, tmp_path, "song.flac", model="htdemucs")
    job = running.client.wait(queued["id"], 120)

    assert (job["state"], job["error"]["code"]) == ("failed", "weights_missing")
    assert "stemsvc models pull" in job["error"]["detail"]


@pytest.mark.long
@pytest.mark.parametrize("backing", ["embedded"], indirect=True)
def test_a_signed_url_opens_nothing_else(running: Service, tmp_path: Path) -> None:
    queued, _ = send(running, tmp_path, "song.flac", stems="vocals")
    job = running.client.wait(queued["id"], 120)
    url = job["stems"]["vocals"]["url"]

    assert httpx.get(url).status_code == 200
    assert httpx.get(url.replace("vocals.flac?", "drums.flac?")).status_code == 403
