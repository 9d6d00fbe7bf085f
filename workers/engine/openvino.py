"""The way on a CPU: OpenVINO runs the network between the spectra. The converted network is kept on disk."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from stemsvc.host import memory
from workers.engine import kept
from workers.engine.channels_last import ChannelsLastCore, can_be_rewritten
from workers.engine.converting import Layers, OnConvert, unseen
from workers.engine.hybrid import HybridCore, Room, Spectrum, fill_up, full_length, prepared
from workers.engine.kept import Options, compile_model, openvino, options
from workers.engine.networks import TorchNetwork
from workers.engine.precision import Precision

log = logging.getLogger(__name__)
FORMAT = 3  # raise it when HybridCore or ChannelsLastCore is written otherwise
ENOUGH = 0.85  # of its cores: less over a whole segment, and another process has the rest
SURE = 2  # segments in a row, before a second network is compiled for that
_converting = threading.Lock()


class CannotConvert(Exception):
    """Raised when a network holds something that can't be traced or that OpenVINO has no operation for."""


class OpenVinoNetwork:
    """Runs full segments in OpenVINO, and segments of other lengths in torch.

    Each stream runs one segment at a time, with its share of the threads: while one segment is in the Fourier
    transform, another keeps the cores busy. Where other processes take the cores, a track's segments move to streams of
    one thread each: the threads of a wide stream wait for the one that has no core. Raises `CannotConvert`.
    """

    def __init__(
        self, network: Any, precision: Precision, threads: int, cache: Path | None, on_convert: OnConvert = unseen
    ) -> None:
        self.device = torch.device("cpu")
        self.precision = precision
        self._length = int(network.samplerate * network.segment)
        self._full = full_length(network)
        self._network = network.eval()
        self._precision = precision
        self._spectrum = Spectrum(network, self.device)
        self._tail: Any = None
        how = options(threads, fast=precision is Precision.FAST)
        compiled, self._read = _compiled(network, self._length, cache, on_convert, how)
        self._wide = self._lane = _Lane(compiled, how)
        self._narrow: _Lane | None = None
        self._crowded = 0  # segments in a row that waited for cores
        self.depth = self._lane.depth

    def start(self, batch: torch.Tensor, stems: list[int]) -> Any:
        """Begin the batch in another thread."""
        if self._crowded >= (SURE if self._narrow is None else 1) and self._lane is self._wide:
            self._take_narrow()
        lane = self._lane
        lane.rooms.rotate()
        return lane.pool.submit(self._run, lane, batch, stems, lane.rooms[0])

    def rest(self) -> None:
        """Free the streams' working memory, a few hundred MB each. To allocate it again takes a tenth of a second."""
        for lane in filter(None, (self._wide, self._narrow)):
            lane.rest()
        if self._lane is self._wide:  # this track had its cores, so the next one may well have them
            self._narrow = None
        self._lane, self._crowded = self._wide, 0
        self.depth = self._lane.depth

    def _take_narrow(self) -> None:
        how = {**self._wide.how, "NUM_STREAMS": self._wide.how["INFERENCE_NUM_THREADS"]}
        if self._narrow is None and how != self._wide.how:
            try:
                self._narrow = _Lane(compile_model(self._read(), how), how) if _have_room() else self._wide
            except (
                Exception
            ) as error:  # OpenVINO raises plain RuntimeErrors: of a conversion that is gone, or no memory
                log.warning("no further streams for this network: %s", (str(error).splitlines() or [""])[0])
                self._narrow = self._wide
        self._lane = self._narrow or self._wide
        self.depth = self._lane.depth

    def _run(self, lane: _Lane, batch: torch.Tensor, stems: list[int], room: Room) -> torch.Tensor:
        with torch.inference_mode():
            batch = fill_up(batch, self._full)
            if batch.shape[-1] != self._length:
                return self._in_torch(lane, batch, stems)
            if len(batch) == 1:
                return self._one(lane, batch, stems, room)
            return torch.cat([self._one(lane, wave[None], stems, Room()) for wave in batch])

    def _one(self, lane: _Lane, wave: torch.Tensor, stems: list[int], room: Room) -> torch.Tensor:
        request = lane.requests.get()
        try:
            inputs = [tensor.numpy() for tensor in prepared(self._spectrum.forward(wave), wave)]
            outputs = self._watched(lane, lambda: request.infer(inputs, share_inputs=True, share_outputs=True))
            spectra, waves = (torch.from_numpy(outputs[at]) for at in (0, 1))
            out = self._spectrum.inverse(spectra, stems, self._length, room)
            for at, stem in enumerate(stems):
                out[:, at] += waves[:, stem]
            return out
        finally:
            lane.requests.put(request)

    def _watched(self, lane: _Lane, infer: Callable[[], Any]) -> Any:
        """Run a segment, and note whether this process had the cores that it was to have meanwhile."""
        alone = not lane.requests.empty()
        start, before = time.perf_counter(), time.process_time()
        outputs = infer()
        had = (time.process_time() - before) / (time.perf_counter() - start)
        if not alone:  # every stream had a segment, so that every thread had work
            self._crowded = self._crowded + 1 if had < ENOUGH * int(lane.how["INFERENCE_NUM_THREADS"]) else 0
        return outputs

    def _in_torch(self, lane: _Lane, batch: torch.Tensor, stems: list[int]) -> torch.Tensor:
        lane.rest()  # in an HDemucs the tail of a track takes as much memory again
        if self._tail is None:
            self._tail = TorchNetwork(self._network, "cpu", self._precision)
        torch.set_num_threads(lane.threads)
        try:
            return self._tail.start(batch, stems).result()  # type: ignore[no-any-return]
        finally:
            torch.set_num_threads(1)


class _Lane:
    """A compiled network with its streams, and the threads of ours that feed them."""

    def __init__(self, compiled: Any, how: Options) -> None:
        self.how = how
        self.streams = int(how["NUM_STREAMS"])
        self.threads = max(1, int(how["INFERENCE_NUM_THREADS"]) // self.streams)  # of each
        self.depth = self.streams + 1  # one batch more waits, so that no stream has to
        self.requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.streams):
            self.requests.put(compiled.create_infer_request())
        self.rooms = collections.deque(Room() for _ in range(self.depth))
        # a transform of a segment in one thread takes a third of what it takes in two, which wait for each other right
        # after OpenVINO's own have had the cores
        self.pool = ThreadPoolExecutor(self.streams, "segment", torch.set_num_threads, (1,))
        self._compiled = compiled

    def rest(self) -> None:
        """Free the working memory, unless a stream is still at work."""
        if self.requests.qsize() == self.streams:
            self._compiled.release_memory()


def _have_room() -> bool:
    """Whether there is memory for a stream on each core: as much as the process holds, and as much for others."""
    free, held = memory.available(), memory.resident()
    return free is not None and held is not None and free > 2 * held


def keep_converted(network: Any, cache: Path, on_convert: OnConvert) -> None:
    """Convert the network into `cache`, where no undamaged conversion of it lies. Raises `CannotConvert`."""
    length = int(network.samplerate * network.segment)
    folder = _folder(network.eval(), length, cache)
    if not kept.is_whole(folder):
        _convert_into(folder, network, length, on_convert)
    kept.remember(folder, kept.loaded_from(network))


def _compiled(
    network: Any, length: int, cache: Path | None, on_convert: OnConvert, how: Options
) -> tuple[Any, Callable[[], Any]]:
    """The network, compiled from `cache` if an undamaged conversion lies there; and what reads its model again."""
    if cache is None:
        model = _convert(network, length, on_convert)
        return compile_model(model, how), lambda: model
    folder = _folder(network, length, cache)

    def read() -> Any:
        return openvino().Core().read_model(folder / "core.xml")

    compiled = kept.compiled(folder, how)
    if compiled is None and kept.is_whole(folder):
        compiled = compile_model(read(), how)
    if compiled is None:
        model = _convert_into(folder, network, length, on_convert)
        compiled = compile_model(model, how)
        if not kept.is_whole(folder):
            return compiled, lambda: model
    kept.remember(folder, kept.loaded_from(network))
    return compiled, read


def _convert_into(folder: Path, network: Any, length: int, on_convert: OnConvert) -> Any:
    model = _convert(network, length, on_convert)
    try:
        kept.keep(model, folder)
    except OSError as error:  # on a read-only or full disk the next start converts again; nothing else is lost
        log.warning("the converted network can't be kept in %s: %s", folder.parent, error.strerror)
    return model


def _folder(network: Any, length: int, cache: Path) -> Path:
    return cache / f"openvino-{_fingerprint(network, length, openvino().get_version())}"


def _convert(network: Any, length: int, on_convert: OnConvert) -> Any:
    ov = openvino()
    core: Any = HybridCore(network, length).eval()
    if can_be_rewritten(network):
        core = ChannelsLastCore(core).eval()
    layers = Layers(core, on_convert)
    wave = torch.randn(1, network.audio_channels, length, generator=torch.Generator().manual_seed(0)) * 0.1
    with _converting, _traceable(), torch.no_grad():
        example = prepared(Spectrum(network, torch.device("cpu")).forward(wave), wave)
        try:
            with layers.watched():
                traced = torch.jit.trace(core, example, check_trace=False)  # type: ignore[no-untyped-call]
            layers.traced()
            shapes = [list(tensor.shape) for tensor in example]
            model = ov.convert_model(traced, example_input=example, input=shapes)
            layers.translated()
            return model
        except Exception as error:  # neither the tracer nor the converter documents the errors that it raises
            if layers.stopped is not None:
                raise layers.stopped from None
            raise CannotConvert(f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _traceable() -> Iterator[None]:
    """Run attention as plain operations. Silence the tracer's warnings about constants: our lengths are constant."""
    import warnings

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _fingerprint(network: Any, length: int, version: str) -> str:
    """Hash of all that the converted network depends on: every weight, the architecture, the versions."""
    made_with = getattr(network, "_init_args_kwargs", None)  # the arguments of demucs' class
    identity = f"{FORMAT} {version} {torch.__version__} {length} {type(network)} {made_with} {network!r}"
    digest = hashlib.sha256(identity.encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()[:32]
