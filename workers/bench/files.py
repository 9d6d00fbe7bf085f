"""Figures of files on a CPU: time from file to encoded stems, memory by a track's length."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stemsvc.host.environment import first_on_path
from stemsvc.kinds.separate.kind import SeparateParams
from workers.audio.decode import Limits
from workers.audio.encode import encode
from workers.bench.engine import RATE, STEMS, Size, bag, music, network
from workers.bench.jobs import FLAC, MODEL, Loaded, entry_of
from workers.bench.table import Figure, Say, in_turn
from workers.engine.separate import Separator
from workers.kinds.separate.separate import separate_file


def file_figures(size: Size, seconds: float, repeats: int, cache: Path | None, say: Say) -> Iterator[Figure]:
    """Time from a wav file to flac stems, ours and upstream's, both with loaded weights."""
    model = bag(network(size))
    separator = Separator(model, cache=cache)
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name, _ffmpeg(Path(name)):
        folder = Path(name)
        song = encode(music(seconds), RATE, folder / "song.wav", "wav", "16").path
        theirs = _upstream_separator(model)

        def ours() -> None:
            out = folder / "ours"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            separate_file(
                song,
                out,
                SeparateParams(MODEL, STEMS),
                FLAC,
                entry_of(size),
                "cpu",
                Loaded(separator),
                Limits(1e5),
                lambda *progress: None,
            )

        def upstream() -> None:
            from demucs.audio import save_audio

            _, stems = theirs.separate_audio_file(song)
            for stem, sound in stems.items():
                save_audio(sound, folder / f"{stem}.flac", RATE)

        say(f"wav file to four flac files, {seconds:g} s")
        took = in_turn(repeats, say, ours=ours, upstream=upstream)
    yield Figure("file to flac stems: ours / upstream", "", took["ours"] / took["upstream"], bar=0.75, aim=0.5)


def memory_figures(short: float, long: float, say: Say) -> Iterator[Figure]:
    """Peak memory of `stemsvc separate` with the demo model: that on a long track less that on a short one."""
    peaks = []
    with tempfile.TemporaryDirectory(prefix="stemsvc-bench-") as name:
        for seconds in (5.0, short, long):  # the first run converts the network if no run has yet
            song = Path(name) / "song.wav"
            _write_long(song, seconds)
            start = time.perf_counter()
            peaks.append(_peak_bytes(song, Path(name) / "out"))
            took = time.perf_counter() - start
            say(f"  {seconds / 60:.1f} min: {peaks[-1] / 1e6:.0f} MB at most, {took:.1f} s")
    detail = f"{long / 60:.0f} min {peaks[2] / 1e6:.0f} MB, {short / 60:.0f} min {peaks[1] / 1e6:.0f} MB"
    yield Figure("peak memory, long less short track", detail, (peaks[2] - peaks[1]) / 1e6, " MB", bar=100, aim=20)


def _upstream_separator(model: Any) -> Any:
    """Upstream's `Separator` around a model that is loaded already."""
    from demucs.api import Separator as Upstream

    class Loaded(Upstream):  # type: ignore[misc, unused-ignore]
        def _load_model(self) -> None:
            self._model = model
            self._audio_channels, self._samplerate = model.audio_channels, model.samplerate

    return Loaded(shifts=0, device="cpu", progress=False)


@contextlib.contextmanager
def _ffmpeg(folder: Path) -> Iterator[None]:
    """Put ffmpeg on PATH, with which upstream writes flac: the one on PATH, else that of the package imageio-ffmpeg."""
    if shutil.which("ffmpeg"):
        yield
        return
    import imageio_ffmpeg

    (folder / "bin").mkdir()
    (folder / "bin" / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    with first_on_path(folder / "bin"):  # demucs looks only there
        yield


def _write_long(path: Path, seconds: float) -> None:
    minute = (music(min(seconds, 60.0)) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        left = round(seconds * RATE)
        while left > 0:
            file.writeframes(minute[: min(left, len(minute))].tobytes())
            left -= len(minute)


def _peak_bytes(song: Path, out: Path) -> int:
    """The most bytes of memory that `stemsvc separate` held, by the kernel's own high-water mark (VmHWM)."""
    command = [sys.executable, "-m", "stemsvc", "separate", str(song), "--model", "demo", "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError, StopIteration):
            text = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(
                peak, next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")) * 1024
            )
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"stemsvc separate ended with {process.returncode}")
    return peak
