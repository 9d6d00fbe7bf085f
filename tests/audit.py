"""Known holes in what we depend on: `python -m tests.audit`, which fails where there is one.

Where an advisory service can't be reached, that is said: nothing was looked up then, which is no good changes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECONDS = 120
PAGE = Path(__file__).parents[1] / "api" / "web"


def main() -> int:
    """Print what pip-audit and npm found; 1 where a package has a known hole."""
    return max(pip_audit(), npm_audit())


def pip_audit(*options: str) -> int:
    """The Python packages that are installed here."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--format", "json", "--progress-spinner", "off"]
    command += options
    try:
        found = _asked(command)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("pip-audit: the advisory service does not answer: NOTHING was looked up")
        return 0
    looked = [each for each in found if "vulns" in each]
    holes = [(each, hole) for each in looked for hole in each["vulns"]]
    for each, hole in holes:
        fixed = ", ".join(hole.get("fix_versions", ())) or "no version yet"
        print(f"pip-audit: {each['name']} {each['version']}: {hole['id']}, fixed in {fixed}")
    unknown = len(found) - len(looked)
    if unknown:
        print(
            f"pip-audit: of {unknown} of {len(found)} packages the advisory service here knows nothing: not looked up"
        )
    print(f"pip-audit: {len(looked)} packages looked up, {len(holes)} known holes")
    return int(bool(holes))


def npm_audit(*options: str) -> int:
    """The page's packages, by its lock: those that it is made of and those that make it."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm audit: no npm here: NOTHING was looked up")
        return 0
    try:
        found = _asked([npm, "audit", "--json", "--package-lock-only", *options, "--prefix", str(PAGE)])
        holes, looked = found["vulnerabilities"], found["metadata"]["dependencies"]["total"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        print("npm audit: the advisory service does not answer: NOTHING was looked up")
        return 0
    for name, hole in holes.items():
        own = "; ".join(
            f"{via['title']}, in {via['range']} ({via['url']})" for via in hole["via"] if isinstance(via, dict)
        )
        print(f"npm audit: {name}: {hole['severity']}, {own or 'by ' + ', '.join(hole['via'])}")
    print(f"npm audit: {looked} packages looked up, {len(holes)} known holes")
    return int(bool(holes))


def _asked(command: Sequence[str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
