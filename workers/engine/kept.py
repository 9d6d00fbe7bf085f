"""Converted networks on disk, and how OpenVINO compiles one. Nothing here loads torch.

A fresh process takes a second to load torch and as long to compile a network. `compile_beside` lets both happen at the
same time: it compiles the conversion that was last made of these weights. The engine takes the result if that is the
conversion it needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from stemsvc.host.digest import sha256_of
from stemsvc.host.processor import below_avx512

CORES_PER_STREAM = 2  # one wide stream wastes cores: the small layers do not split well
Options = dict[str, str | int]
_beside: dict[Path, tuple[Options, Future[Any]]] = {}


def available() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def usable() -> bool:
    """Whether OpenVINO is installed and keeps to what this process is limited to.

    Below AVX-512 OpenVINO 2026.4 mixes kernels of both widths, and crashes in HTDemucs; its products (mlas) have no
    limit.
    """
    return available() and not below_avx512()


def openvino() -> Any:
    """The module, imported without its telemetry, which would report to its vendor at import."""
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def cores() -> int:
    """CPUs that this process may use: in a container they may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def options(threads: int, *, fast: bool = False, streams: int | None = None) -> Options:
    """How a network is compiled for so many threads (0: one for each core): in streams that each take two of them."""
    width = threads or cores()
    exact = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
    streams = streams or max(1, width // CORES_PER_STREAM)
    how: Options = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": width}
    return {**how, **({"INFERENCE_PRECISION_HINT": "bf16"} if fast else exact)}


def compile_model(model: Any, how: Options) -> Any:
    """The model, compiled for this CPU."""
    return openvino().Core().compile_model(model, "CPU", how)


def product(right: Any, threads: int) -> Callable[[Any], object]:
    """What multiplies a matrix by `right`, of the same shape, in exact fp32: a measure of what this machine can do."""
    ov = openvino()
    from openvino import opset13

    left = opset13.parameter(list(right.shape), right.dtype)
    model = ov.Model([opset13.matmul(left, opset13.constant(right), False, False)], [left])
    request = compile_model(model, options(threads, streams=1)).create_infer_request()
    return lambda values: request.infer([values], share_inputs=True, share_outputs=True)


def compile_beside(cache: Path, weights: Path, threads: int) -> None:
    """Compile, in a thread, the conversion in `cache` that was last made of the file `weights`, if there is one."""
    folder = _made_of(cache, weights)
    if folder is None or folder in _beside or not available():
        return
    how, future = options(threads), Future[Any]()
    _beside[folder] = (how, future)

    def run() -> None:
        try:
            if not is_whole(folder):
                raise ValueError("the conversion is damaged")
            future.set_result(compile_model(openvino().Core().read_model(folder / "core.xml"), how))
        except Exception as error:  # the engine then does it itself, and says what is wrong
            future.set_exception(error)

    threading.Thread(target=run, name="compile").start()


def compiled(folder: Path, how: Options) -> Any:
    """What `compile_beside` made of this conversion, once; None if it made nothing, or something else."""
    found, future = _beside.pop(folder, ({}, None))
    if future is None or found != how:
        return None
    with contextlib.suppress(Exception):
        return future.result()
    return None


def loaded_from(network: Any) -> Path | None:
    """The file of weights that the network was read from, where whoever read it noted it."""
    return getattr(network, "loaded_from", None)


def remember(folder: Path, weights: Path | None) -> None:
    """Note that the conversion was made of the file `weights`, for the next process."""
    with contextlib.suppress(OSError):  # the folder may belong to someone else
        if weights is not None:
            (folder / _name_of(weights)).touch()


def is_whole(folder: Path) -> bool:
    """Whether every file of the folder is as it was written. A power cut can leave a file of zeros."""
    try:
        sums = json.loads((folder / "sums.json").read_text())
        whole = bool(sums) and all(sha256_of(folder / name) == wanted for name, wanted in sums.items())
        with contextlib.suppress(OSError):
            os.utime(folder / "sums.json")  # `models prune` deletes networks that were not used for long
        return whole
    except (OSError, ValueError, AttributeError):
        return False


def keep(model: Any, folder: Path) -> None:
    """Write the model to `folder`, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".openvino-", dir=folder.parent))
    try:
        openvino().save_model(model, scratch / "core.xml", compress_to_fp16=False)
        sums = {path.name: sha256_of(path) for path in scratch.iterdir()}
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


def _made_of(cache: Path, weights: Path) -> Path | None:
    try:
        notes = sorted(cache.glob(f"openvino-*/{_name_of(weights)}"), key=lambda note: note.stat().st_mtime)
    except OSError:
        return None
    return notes[-1].parent if notes else None


def _name_of(weights: Path) -> str:
    stamp = weights.stat()
    told = f"{weights.resolve()} {stamp.st_mtime_ns} {stamp.st_size}"
    return f"of-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
