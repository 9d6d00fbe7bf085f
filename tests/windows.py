"""`python -m tests.windows ...`: the command line without the modules that Windows lacks, as far as Linux can show it.

The last line on stderr names the modules of ours that the command has loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

LACKING = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "readline")
# Python's own modules ask for these where they are, and the one of ours that knows both systems
FIRST = (
    *("asyncio", "getpass", "multiprocessing", "rich.console", "shutil", "subprocess", "tempfile"),
    "stemsvc.host.locks",
)


class Lacking(MetaPathFinder):
    """Finds that these modules are not there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise what Python raises where a module is missing."""
        if fullname in LACKING:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def main() -> None:
    """Run a command so."""
    for name in FIRST:
        __import__(name)
    for name in LACKING:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Lacking())
    from stemsvc.cli.main import main as command

    try:
        command(sys.argv[1:])
    finally:
        ours = sorted(name for name in sys.modules if name.split(".")[0] in ("stemsvc", "stemsvc_client", "workers"))
        print("loaded:", *ours, file=sys.stderr)


if __name__ == "__main__":
    main()
