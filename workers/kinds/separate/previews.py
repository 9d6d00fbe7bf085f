"""What players draw and stream of a separation, made beside its files. Whatever goes wrong here, the job goes on."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from stemsvc.errors import ScratchFull
from stemsvc.observe.loggers import get_logger
from workers.audio.peaks import PeaksWriter
from workers.audio.preview import PREVIEW_CODECS, PreviewWriter
from workers.audio.track import Track
from workers.host.scratch import check_room
from workers.kinds.base import MadeFile

Sound = NDArray[np.float32]
log = get_logger()
AHEAD = 2  # pieces that may wait
PEAKS, PACK, INDEX, COVER = "peaks", "pack", "index", "cover"  # the names of `stemsvc.control.present`
OFF = "off"  # the codec of who wants no pack; peaks are made all the same
# Peaks have 2 bytes for 256 samples, and two coarser zooms.
PEAKS_BYTES = 500  # of a stem for a second at 48 kHz


def cover_of(track: Track) -> dict[str, MadeFile]:
    """The song's front cover as it is in its file, for pages to show; nothing where it has none."""
    cover = track.tags.cover
    return {COVER: MadeFile(cover.path, cover.media_type)} if cover else {}


@dataclass(frozen=True)
class Previewed:
    """What is previewed: outputs by name, all of `frames` samples at `rate` Hz, mono or stereo by `channels`."""

    outputs: tuple[str, ...]
    rate: int
    frames: int
    channels: int


class Previews:
    """Makes the peaks and the pack in a thread of its own. With a `codec` of None it makes nothing.

    A fault is logged and ends the making: then `close` returns no files, and those begun are deleted.
    """

    def __init__(self, folder: Path, of: Previewed, codec: str | None, keep_free: int) -> None:
        self._folder, self._of, self._codec = folder, of, codec
        self._queue: queue.Queue[dict[str, Sound] | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._made: dict[str, MadeFile] = {}
        self._thread: threading.Thread | None = None
        if codec is not None and self._has_room(keep_free):
            self._thread = threading.Thread(target=self._run, args=(codec,), name="previews", daemon=True)

    def __enter__(self) -> Previews:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def write(self, pieces: dict[str, Sound]) -> None:
        """Hand on the next samples [n, 2] of each output; waits while the thread is behind."""
        self._put(pieces)

    def close(self) -> dict[str, MadeFile]:
        """Wait for the files, by their names; none after a fault."""
        self._put(None)
        if self._thread is not None:
            self._thread.join()
        return self._made

    def _put(self, pieces: dict[str, Sound] | None) -> None:
        while self._thread is not None and self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._queue.put(pieces, timeout=0.2)
                return

    def _has_room(self, keep_free: int) -> bool:
        """Whether the scratch disk has room for them beside the job's own files."""
        seconds, packed = self._of.frames / self._of.rate, PREVIEW_CODECS.get(self._codec or OFF)
        each = PEAKS_BYTES + (packed.bytes_per_second if packed else 0)
        try:
            check_room(self._folder, round(seconds * each * len(self._of.outputs)) + keep_free)
        except ScratchFull as error:
            log.warning("no previews", why=error.detail)
            return False
        return True

    def _run(self, codec: str) -> None:
        paths = {PEAKS: "peaks.bin", PACK: "preview.pack", INDEX: "preview.json"}
        files = {name: self._folder / path for name, path in paths.items()}
        try:
            if self._make(codec, files):
                kinds = {PEAKS: "application/octet-stream", PACK: "application/octet-stream", INDEX: "application/json"}
                self._made = {name: MadeFile(path, kinds[name]) for name, path in files.items() if path.exists()}
        except Exception as error:
            log.warning("no previews", why=repr(error), exc_info=error)
        if not self._made:
            for path in files.values():
                path.unlink(missing_ok=True)

    def _make(self, codec: str, files: dict[str, Path]) -> bool:
        """Write the files; False where the job ended before the track did."""
        of = self._of
        threads = min(len(of.outputs), os.cpu_count() or 1)
        with contextlib.ExitStack() as stack:
            peaks = stack.enter_context(PeaksWriter(files[PEAKS], of.outputs, of.rate, of.frames))
            pack = None
            if codec != OFF:
                pack = PreviewWriter(files[PACK], of.outputs, of.rate, codec, of.channels, threads)
                stack.enter_context(pack)
            while (pieces := self._next()) is not None:
                ordered = [pieces[name] for name in of.outputs]
                peaks.write(ordered)
                if pack is not None:
                    pack.write(ordered)
            if self._stopped.is_set():
                return False
            peaks.finish()
            if pack is not None:
                pack.finish(files[INDEX])
        return True

    def _next(self) -> dict[str, Sound] | None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Empty):
                return self._queue.get(timeout=0.2)
        return None
