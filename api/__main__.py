"""`python -m api` prints the API's OpenAPI document. `api/openapi.json` keeps a copy of it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from api.app import create_app
from stemsvc.settings import Settings

ADDRESS = "http://127.0.0.1:8080"  # of a service that `make up` started


def main() -> None:
    """Print the OpenAPI document as JSON. A temporary folder stands in for the data folder."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data_dir=Path(folder)))
        document = app.test_client().get("/openapi.json", base_url=ADDRESS).get_json()
        app.extensions["stemsvc"].close()
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
