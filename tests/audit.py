"""Known holes in what we depend on: `python -m tests.audit`, which fails where there is one.

Where the advisory service can't be reached, that is said: nothing was looked up then, which is no good changes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SECONDS = 120


def main() -> int:
    """Print what pip-audit found; 1 where a package has a known hole."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        found = json.loads(done.stdout)["dependencies"]
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


if __name__ == "__main__":
    sys.exit(main())
