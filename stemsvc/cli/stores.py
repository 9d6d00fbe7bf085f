"""The job store for commands, and ids by their beginnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stemsvc.errors import AmbiguousId, StemsvcError, StoreMissing

if TYPE_CHECKING:
    from stemsvc.jobstore import JobStore
    from stemsvc.settings import Settings

SHOWN_IDS = 5


@contextmanager
def opened_store() -> Iterator[JobStore]:
    """The job store that the settings name, with its tables brought up to date; made if it is missing."""
    from stemsvc.accounts.cipher import open_cipher
    from stemsvc.host.folders import private_folder
    from stemsvc.jobstore import JobStore
    from stemsvc.jobstore.engine import migrate
    from stemsvc.settings import Settings

    settings = Settings()
    if not settings.database_url:
        private_folder(settings.data_dir)
    migrate(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url, cipher=open_cipher(settings))
    try:
        yield store
    finally:
        store.close()


def check_started(settings: Settings) -> None:
    """Raise `FatalError` `store_missing` where the settings name a data folder over which nothing was ever started."""
    path = Path(settings.resolved_database_url.removeprefix("sqlite:///"))
    if not settings.database_url and not path.is_file():
        detail = f"nothing was started over {settings.data_dir} yet"
        raise StoreMissing(f"{detail}: `stemsvc up` starts a service there, STEMSVC_DATA_DIR names another folder")


def whole_id(given: str, begins: Callable[[str], Sequence[str]], unknown: StemsvcError) -> str:
    """The one id that begins with `given`, or is it. `begins` finds the ids that begin with a text.

    Raises `unknown` where there is none, and `UsageError` `ambiguous_id` where there are several.
    """
    found = begins(given) if given else ()
    if not found:
        raise unknown
    if len(found) > 1 and given not in found:
        shown = ", ".join(sorted(found)[:SHOWN_IDS]) + (" and more" if len(found) > SHOWN_IDS else "")
        raise AmbiguousId(f"{given} may be {shown}: give more characters")
    return given if given in found else found[0]
