"""`python -m api`: the API's description, as `api/openapi.json` keeps it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from api.app import create_app
from stemsvc.settings import Settings


def main() -> None:
    """Print the document."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data_dir=Path(folder)))
        document = app.test_client().get("/openapi.json").get_json()
        app.extensions["stemsvc"].close()
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
