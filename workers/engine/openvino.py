"""The way on a CPU: OpenVINO runs the network between the spectra. The converted network is kept on disk."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from workers.engine.channels_last import ChannelsLastCore, can_be_rewritten
from workers.engine.converting import Layers, OnConvert, unseen
from workers.engine.hybrid import HybridCore, Room, Spectrum, fill_up, full_length, prepared
from workers.engine.networks import TorchNetwork
from workers.engine.precision import Precision

log = logging.getLogger(__name__)
FORMAT = 2  # raise it when HybridCore or ChannelsLastCore is written otherwise
CORES_PER_STREAM = 2  # one wide stream wastes cores: the small layers do not split well
_converting = threading.Lock()


def available() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def openvino() -> Any:
    """The module, imported without its telemetry, which would report to its vendor at import."""
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


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
        width = threads or cores()
        streams = self._streams = max(1, width // CORES_PER_STREAM)
        self.depth = streams + 1  # one batch more waits, so that no stream has to
        model = _converted(network, self._length, cache, on_convert)
        self._compiled = compiled = _compile(model, precision, streams, width)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._requests.put(compiled.create_infer_request())
        self._rooms = collections.deque(Room() for _ in range(self.depth))
        self._width = max(1, width // streams)
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


def cores() -> int:
    """CPUs that this process may use: in a container they may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compile(model: Any, precision: Precision, streams: int, threads: int) -> Any:
    ov = openvino()
    exact = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    fast = {"INFERENCE_PRECISION_HINT": "bf16"}
    options = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads}
    return ov.Core().compile_model(model, "CPU", options | (fast if precision is Precision.FAST else exact))


def product(right: Any, threads: int) -> Callable[[Any], object]:
    """What multiplies a matrix by `right`, of the same shape, in exact fp32: a measure of what this machine can do."""
    ov = openvino()
    from openvino import opset13

    left = opset13.parameter(list(right.shape), right.dtype)
    model = ov.Model([opset13.matmul(left, opset13.constant(right), False, False)], [left])
    request = _compile(model, Precision.FP32, 1, threads).create_infer_request()
    return lambda values: request.infer([values], share_inputs=True, share_outputs=True)


def keep_converted(network: Any, cache: Path, on_convert: OnConvert) -> None:
    """Convert the network into `cache`, where no undamaged conversion of it lies. Raises `CannotConvert`."""
    _converted(network.eval(), int(network.samplerate * network.segment), cache, on_convert)


def _converted(network: Any, length: int, cache: Path | None, on_convert: OnConvert) -> Any:
    """The network as an OpenVINO model, read from `cache` if an undamaged one lies there."""
    ov = openvino()
    if cache is None:
        return _convert(network, length, on_convert)
    folder = cache / f"openvino-{_fingerprint(network, length, ov.get_version())}"
    if _is_whole(folder):
        return ov.Core().read_model(folder / "core.xml")
    model = _convert(network, length, on_convert)
    try:
        _keep(model, folder)
    except OSError as error:  # on a read-only or full disk the next start converts again; nothing else is lost
        log.warning("the converted network can't be kept in %s: %s", cache, error.strerror)
    return model


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


def _is_whole(folder: Path) -> bool:
    """Whether every file of the folder is as it was written. A power cut can leave a file of zeros."""
    try:
        sums = json.loads((folder / "sums.json").read_text())
        whole = bool(sums) and all(_sum(folder / name) == wanted for name, wanted in sums.items())
        with contextlib.suppress(OSError):
            os.utime(folder / "sums.json")  # `models prune` deletes networks that were not used for long
        return whole
    except (OSError, ValueError, AttributeError):
        return False


def _keep(model: Any, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".openvino-", dir=folder.parent))
    try:
        openvino().save_model(model, scratch / "core.xml", compress_to_fp16=False)
        sums = {path.name: _sum(path) for path in scratch.iterdir()}
        (scratch / "sums.json").write_text(json.dumps(sums))
        readers = folder.parent.stat().st_mode & 0o055  # who shares the cache shares its networks
        for path in scratch.iterdir():
            path.chmod(0o600 | readers & 0o044)
        scratch.chmod(0o700 | readers)
        if folder.exists():  # it is damaged, or another process was faster
            shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process has just put its own there
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
