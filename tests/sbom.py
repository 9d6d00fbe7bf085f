"""`python -m tests.sbom PATH`: what is installed here, as CycloneDX, with the licence and the hashes of each package.

cyclonedx-py reads versions and licences from the environment. The hashes are those of the lock files: pip took one of
a package's files, and checked that its hash is among them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.lock import CUDA, EVERYTHING, ROOT, Pin, normal, read

# Licences of packages whose metadata names none: read from the LICENSE file that they bring.
READ_BY_HAND = {"promql-parser": "MIT", "sphn": "Apache-2.0"}
OURS = "stemsvc"
SECONDS = 300


def main() -> int:
    """Write the inventory; 1 where a package of the environment lacks a licence or is in no lock."""
    path = Path(sys.argv[1])
    found = inventory(sys.executable)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    strange = [each["name"] for each in found["components"] if not (each.get("licenses") and each.get("hashes"))]
    print(f"{path}: {len(found['components'])} packages")
    if strange:
        print(f"without a licence or in no lock: {', '.join(strange)}", file=sys.stderr)
    return int(bool(strange))


def inventory(python: str) -> dict[str, Any]:
    """The packages that this interpreter can import, as a CycloneDX document, each with its licence and hashes."""
    # its validator takes minutes, and checks only what its own library wrote
    tool = str(Path(sys.executable).with_name("cyclonedx-py"))
    command = [tool, "environment", "--pyproject", "pyproject.toml", "--mc-type", "application"]
    options = ["--spec-version", "1.6", "--output-format", "JSON", "--output-reproducible", "--no-validate"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        subprocess.run(
            [*command, *options, "--output-file", str(path), python],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )
        document: dict[str, Any] = json.loads(path.read_text())
    pins = {pin.name: pin for pin in locked()}
    document["components"] = [_completed(each, pins) for each in document["components"] if each["name"] != OURS]
    return document


def locked() -> Iterable[Pin]:
    """Every package of the lock files."""
    return [pin for path in (EVERYTHING, CUDA) for pin in read((ROOT / path).read_text())]


def installed() -> dict[str, str]:
    """The versions of the packages that are installed here, without the local labels of builds such as `+cpu`."""
    return {normal(each.metadata["Name"]): each.version.partition("+")[0] for each in metadata.distributions()}


def _said(name: str) -> str:
    """The free words in which a package names its licence; cyclonedx-py leaves out those that are no SPDX name."""
    return str(metadata.metadata(name).json.get("license", "")).strip().partition("\n")[0]


def _completed(component: dict[str, Any], pins: dict[str, Pin]) -> dict[str, Any]:
    name, version = normal(component["name"]), component["version"].partition("+")[0]
    done = dict(component)
    if not done.get("licenses") and name in READ_BY_HAND:
        done["licenses"] = [{"license": {"id": READ_BY_HAND[name]}}]
    elif not done.get("licenses") and (said := _said(component["name"])):
        done["licenses"] = [{"license": {"name": said}}]
    pin = pins.get(name)
    if pin is not None and pin.version == version:
        done["hashes"] = [{"alg": "SHA-256", "content": each} for each in pin.hashes]
    return done


if __name__ == "__main__":
    sys.exit(main())
