"""The way on a CPU: OpenVINO runs the network between the spectra. The converted network is kept on disk."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import logging
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from workers.engine import kept
from workers.engine.channels_last import ChannelsLastCore, can_be_rewritten
from workers.engine.converting import Layers, OnConvert, unseen
from workers.engine.hybrid import HybridCore, Room, Spectrum, fill_up, full_length, prepared
from workers.engine.kept import Options, compile_model, openvino, options
from workers.engine.networks import TorchNetwork
from workers.engine.precision import Precision

log = logging.getLogger(__name__)
FORMAT = 2  # raise it when HybridCore or ChannelsLastCore is written otherwise
_converting = threading.Lock()


class CannotConvert(Exception):
    """Raised when a network holds something that can't be traced or that OpenVINO has no operation for."""


class OpenVinoNetwork:
    """Runs full segments in OpenVINO, and segments of other lengths in torch.

    Each stream runs one segment at a time, with its share of the threads: while one segment is in the Fourier
    transform, another keeps the cores busy. Raises `CannotConvert`.
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
        streams = self._streams = int(how["NUM_STREAMS"])
        self.depth = streams + 1  # one batch more waits, so that no stream has to
        self._compiled = compiled = _compiled(network, self._length, cache, on_convert, how)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._requests.put(compiled.create_infer_request())
        self._rooms = collections.deque(Room() for _ in range(self.depth))
        self._width = max(1, int(how["INFERENCE_NUM_THREADS"]) // streams)
        # a transform of a segment in one thread takes a third of what it takes in two, which wait for each other right
        # after OpenVINO's own have had the cores
        self._pool = ThreadPoolExecutor(streams, "segment", torch.set_num_threads, (1,))

    def start(self, batch: torch.Tensor, stems: list[int]) -> Any:
        """Begin the batch in another thread."""
        self._rooms.rotate()
        return self._pool.submit(self._run, batch, stems, self._rooms[0])

    def rest(self) -> None:
        """Free the streams' working memory, a few hundred MB each. To allocate it again takes a tenth of a second."""
        if self._requests.qsize() == self._streams:
            self._compiled.release_memory()

    def _run(self, batch: torch.Tensor, stems: list[int], room: Room) -> torch.Tensor:
        with torch.inference_mode():
            batch = fill_up(batch, self._full)
            if batch.shape[-1] != self._length:
                return self._in_torch(batch, stems)
            if len(batch) == 1:
                return self._one(batch, stems, room)
            return torch.cat([self._one(wave[None], stems, Room()) for wave in batch])

    def _one(self, wave: torch.Tensor, stems: list[int], room: Room) -> torch.Tensor:
        request = self._requests.get()
        try:
            inputs = [tensor.numpy() for tensor in prepared(self._spectrum.forward(wave), wave)]
            outputs = request.infer(inputs, share_inputs=True, share_outputs=True)
            spectra, waves = (torch.from_numpy(outputs[at]) for at in (0, 1))
            out = self._spectrum.inverse(spectra, stems, self._length, room)
            for at, stem in enumerate(stems):
                out[:, at] += waves[:, stem]
            return out
        finally:
            self._requests.put(request)

    def _in_torch(self, batch: torch.Tensor, stems: list[int]) -> torch.Tensor:
        self.rest()  # in an HDemucs the tail of a track takes as much memory again
        if self._tail is None:
            self._tail = TorchNetwork(self._network, "cpu", self._precision)
        torch.set_num_threads(self._width)
        try:
            return self._tail.start(batch, stems).result()  # type: ignore[no-any-return]
        finally:
            torch.set_num_threads(1)


def keep_converted(network: Any, cache: Path, on_convert: OnConvert) -> None:
    """Convert the network into `cache`, where no undamaged conversion of it lies. Raises `CannotConvert`."""
    length = int(network.samplerate * network.segment)
    folder = _folder(network.eval(), length, cache)
    if not kept.is_whole(folder):
        _convert_into(folder, network, length, on_convert)
    kept.remember(folder, kept.loaded_from(network))


def _compiled(network: Any, length: int, cache: Path | None, on_convert: OnConvert, how: Options) -> Any:
    """The network, compiled: from `cache` if an undamaged conversion of it lies there."""
    if cache is None:
        return compile_model(_convert(network, length, on_convert), how)
    folder = _folder(network, length, cache)
    compiled = kept.compiled(folder, how)
    if compiled is None:
        whole = kept.is_whole(folder)
        model = openvino().Core().read_model(folder / "core.xml") if whole else None
        compiled = compile_model(model or _convert_into(folder, network, length, on_convert), how)
    kept.remember(folder, kept.loaded_from(network))
    return compiled


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
