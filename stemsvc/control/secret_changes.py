"""Notices that the file of a secret has changed, and says in the log what that means for this process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stemsvc.errors import StemsvcError
from stemsvc.observe.loggers import get_logger
from stemsvc.settings import RESTART, SECRETS, Settings

log = get_logger()
PAUSE_SECONDS = 5.0


class SecretChanges:
    """Looks at the files of secrets in a thread of its own, from `start` to `stop`.

    `then` is called with the settings at the start and after each change, and again later where it returns False.
    """

    def __init__(self, settings: Settings, then: Callable[[Settings], bool] = lambda settings: True) -> None:
        self._settings = settings
        self._then = then
        self._done = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="secret-changes", daemon=True)

    def start(self) -> None:
        """Begin. Call it after any fork."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.look()
            if self._stop.wait(PAUSE_SECONDS):
                return

    def look(self) -> None:
        """Look once. What can't be done now, as while the job store is away, is done at a later look."""
        fresh = self._settings.fresh()
        if fresh is not self._settings:
            for name, effect in SECRETS.items():
                if getattr(fresh, name) != getattr(self._settings, name):
                    _say(name, effect)
            self._settings, self._done = fresh, False
        if not self._done:
            try:
                self._done = self._then(fresh)
            except StemsvcError as error:
                log.warning("the bootstrap key can't be set now", code=error.code, detail=error.detail)


def _say(name: str, effect: str) -> None:
    variable = f"STEMSVC_{name.upper()}"
    if effect == RESTART:
        log.warning("a secret has changed; what uses it must be restarted", setting=variable)
    else:
        log.info("a secret has changed", setting=variable, used=effect)
