"""`python -m tests.clients`: has redocly and spectral look at api/openapi.json. `make lint` calls it."""

from __future__ import annotations

import sys

from tests.clients.tools import HERE, OPENAPI, has_node, run


def main() -> None:
    """Fail with what a linter says. Without a Node there is nothing to run, except where CI is set."""
    if not has_node():
        print("no node here: redocly and spectral did not look at api/openapi.json")
        return
    try:
        run(HERE, "redocly", "lint", str(OPENAPI), "--config", "redocly.yaml")
        run(HERE, "spectral", "lint", str(OPENAPI), "--ruleset", ".spectral.yaml", "--fail-severity", "warn")
    except AssertionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
