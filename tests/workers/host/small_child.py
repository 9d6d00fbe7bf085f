"""A child process of tests: does what its order says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

from workers.host.sandbox import be_child

LOADED_BY = os.getpid()


def main() -> None:
    """Read the order, do it."""
    what = be_child().strip()
    if what == "tell":
        facts = {"pid": os.getpid(), "loaded_by": LOADED_BY, "names": sorted(os.environ), "home": os.environ["HOME"]}
        print(json.dumps({**facts, "files": tempfile.gettempdir(), "session": os.getsid(0)}), flush=True)
    elif what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "fail":
        raise RuntimeError("it failed")
    elif what == "leave":
        sys.exit(3)
    elif what == "close":
        os.close(1)
        time.sleep(1000)
    elif what == "hang":
        other = subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
        print(json.dumps({"pid": os.getpid(), "other": other.pid}), flush=True)
        time.sleep(1000)


if __name__ == "__main__":
    main()
