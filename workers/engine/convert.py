"""`python -m workers.engine.convert IN.th OUT.safetensors` converts a checkpoint without trusting it.

A checkpoint is a package of demucs', or the state of a network of another family as trainers save it. torch's own
restricted reader runs the pickle. Of classes the pickle may name fractions and demucs' networks. Stand-ins take the
networks' place: they have the names, and nothing can call them. Limits on memory, time and file size bound what a
hostile file may cost. The last line on stdout is the answer as JSON: the error, or null if all is well.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import re
import resource
import sys
import warnings
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

from stemsvc.errors import CacheFull, StemsvcError, WeightsRefused, WeightsUnreadable, to_wire

MEMORY_BYTES = 8 << 30
FILE_BYTES = 4 << 30
SECONDS = 300
STATES = ("model_state_dict", "state_dict", "state")  # where trainers put the network's state
WRAPPED = ("_orig_mod.", "module.", "model.")  # before each name: of compiled, distributed and lightning modules
NETWORKS = ("demucs.htdemucs.HTDemucs", "demucs.hdemucs.HDemucs", "demucs.demucs.Demucs")


class _Network:
    """Stands for one of demucs' classes: it has the class's name, and no code that a pickle could call."""

    name = ""

    def __new__(cls, *args: object, **kwargs: object) -> _Network:
        raise pickle.UnpicklingError(f"the pickle calls {cls.name}")


def convert(source: Path, target: Path) -> None:
    """Write the checkpoint's network into a safetensors file: one of demucs' as its `load_safetensors_model` reads it.

    Raises `FatalError` `weights_refused`, `weights_unreadable`.
    """
    package = _read(source)
    if "klass" not in package:
        _write(_state(package), {}, target)
        return
    klass, args, kwargs, state = (package.get(key) for key in ("klass", "args", "kwargs", "state"))
    if not (isinstance(klass, type) and issubclass(klass, _Network)):
        raise WeightsRefused(f"its class is not one of demucs': {klass!r}")
    if not isinstance(state, dict) or not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise WeightsUnreadable("it is not a demucs checkpoint")
    if state.get("__quantized"):
        raise WeightsRefused(
            "it is quantised by diffq, whose classes are not allowed: use the model that it was made from"
        )
    metadata = {"klass": klass.name, "args": json.dumps(_plain(args)), "kwargs": json.dumps(_plain(kwargs))}
    _write(state, metadata, target)


def _read(source: Path) -> dict[str, Any]:
    import torch

    names: list[Any] = [(type(name.rsplit(".", 1)[1], (_Network,), {"name": name}), name) for name in NETWORKS]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([*names, Fraction, OrderedDict]):
            warnings.simplefilter("ignore")
            package = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch wraps its reader's message in advice to trust the file
        raise WeightsRefused(_wanted(str(error.__context__ or error))) from error
    except MemoryError as error:
        raise WeightsRefused("it needs more memory than any checkpoint does") from error
    except Exception as error:  # on a damaged file torch's reader raises whatever the damage causes
        raise WeightsUnreadable(f"{type(error).__name__}: {str(error)[:200]}") from error
    if not isinstance(package, dict):
        raise WeightsUnreadable("it is not a demucs checkpoint")
    return package


def _state(package: dict[str, Any]) -> dict[str, Any]:
    """The network's state in what a trainer saved: bare, or beside the state of its optimizer and more."""
    state = next((package[key] for key in STATES if isinstance(package.get(key), dict)), package)
    for prefix in WRAPPED:
        if state and all(str(name).startswith(prefix) for name in state):
            state = {str(name).removeprefix(prefix): value for name, value in state.items()}
    if not state:
        raise WeightsUnreadable("it has no state of a network")
    return state


def _wanted(message: str) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", message)
    if found:
        return f"the pickle wants {found[1]}, which no checkpoint of a network needs"
    return (message.strip().splitlines() or ["torch's restricted reader refuses it"])[0][:200]


def _plain(value: Any) -> Any:
    """A network's arguments as JSON, with fractions in the form that demucs' reader expects."""
    if isinstance(value, Fraction):
        return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise WeightsUnreadable(f"an argument of its network is a {type(value).__name__}")


def _write(state: dict[str, Any], metadata: dict[str, str], target: Path) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor) or tensor.layout is not torch.strided:
            raise WeightsUnreadable(f"{str(name)[:100]} of its state is not a plain tensor")
        tensors[str(name)] = tensor.detach().clone().contiguous()
    save_file(tensors, target, metadata)


def _limit() -> None:
    for kind, most in (
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # the system's own limit is lower
            resource.setrlimit(kind, (most, most))


def main() -> int:
    """Convert the file that the command line names; returns the exit status, 1 on an error."""
    error: StemsvcError | None = None
    _limit()
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except StemsvcError as refusal:
        error = refusal
    except OSError as full:
        error = CacheFull(str(full.strerror))
    print(json.dumps({"error": error and to_wire(error)}))
    return int(error is not None)


if __name__ == "__main__":
    sys.exit(main())
