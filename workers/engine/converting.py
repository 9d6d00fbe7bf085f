"""How far a network's conversion is, by the layers that it has passed; whoever hears of it may end it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

# Called with steps done and all steps. What it raises ends the conversion.
OnConvert = Callable[[int, int], None]
TRANSLATED = 4  # layers that are traced in the time that one takes to be translated


def unseen(done: int, total: int) -> None:
    """Show no progress."""


def share(on_convert: OnConvert, index: int, count: int) -> OnConvert:
    """What the network `index` of `count` reports to: each of them is as many steps."""
    return lambda done, total: on_convert(index * total + done, count * total)


class Layers:
    """Reports each layer that a trace has run, and keeps what the report raised: the tracer would hide it."""

    def __init__(self, core: Any, on_convert: OnConvert) -> None:
        self._layers = [module for module in core.modules() if not list(module.children())]
        self._total = len(self._layers) + max(1, len(self._layers) // TRANSLATED)
        self._on_convert = on_convert
        self._done = 0
        self.stopped: BaseException | None = None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Report the layers that run inside."""
        self._report(0)
        hooks = [layer.register_forward_hook(self._ran) for layer in self._layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def traced(self) -> None:
        """All layers are traced; the translation begins."""
        self._report(len(self._layers))

    def translated(self) -> None:
        """All is done."""
        self._report(self._total)

    def _ran(self, *_: object) -> None:
        self._report(min(self._done + 1, len(self._layers)))  # a layer may run more than once

    def _report(self, done: int) -> None:
        self._done = done
        try:
            self._on_convert(done, self._total)
        except BaseException as error:
            self.stopped = error
            raise
