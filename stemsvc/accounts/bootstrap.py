"""The key that a setting gives, so that the first user and programs have one before anybody ran a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stemsvc.accounts.keys import Installed, Key, Scope, hash_of
from stemsvc.observe.loggers import get_logger

if TYPE_CHECKING:
    from stemsvc.settings import Settings

BOOTSTRAP = "bootstrap"  # its id and its name; ids of other keys have ten characters, and no key may be renamed to it
VARIABLE = "STEMSVC_BOOTSTRAP_KEY"
KEEP_SECONDS = 600.0  # that the key before this one works: files of several machines do not change at one moment


def bootstrap_key(settings: Settings) -> Key | None:
    """The setting's key, hashed; None where the setting is empty."""
    token = settings.bootstrap_key.get_secret_value()
    scopes = frozenset(map(Scope, settings.bootstrap_scopes.split(",")))
    return Key(BOOTSTRAP, BOOTSTRAP, hash_of(token), scopes) if token else None


def install(settings: Settings, put: Callable[[Key, float], Installed]) -> bool:
    """Put the setting's key into the job store, by its `keys.install`. Raises the store's errors.

    Any number of processes may do so at once. Returns False where another process has a newer key: call it again later,
    when that one may be gone.
    """
    key = bootstrap_key(settings)
    if key is None:
        return True
    outcome = put(key, KEEP_SECONDS)

    log = get_logger()
    say = log.warning if outcome is Installed.REVOKED else log.info if outcome is not Installed.KEPT else log.debug
    say(str(outcome), setting=VARIABLE, scopes=sorted(key.scopes))
    return outcome is not Installed.OLDER
