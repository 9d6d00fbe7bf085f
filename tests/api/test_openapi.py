"""The description that clients build on: kept, valid, and true of the running server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from stemsvc.accounts.webhooks import TEST, EventType, WorkflowEventType
from stemsvc.embedded.ports import free_port
from tests.docs_tables import own_errors
from tests.processes import LocalProcess, plain_environment, stemsvc

CODE = {"$ref": "#/components/schemas/ErrorCode"}  # a text in release 0.1; now the texts are named
KEPT = Path(__file__).parents[2] / "api" / "openapi.json"


def test_the_kept_description_is_what_the_code_says() -> None:
    now = subprocess.run([sys.executable, "-m", "api"], capture_output=True, text=True, check=True).stdout
    assert json.loads(KEPT.read_text()) == json.loads(now), "run `python -m api > api/openapi.json`"


def test_what_release_0_1_described_is_still_so() -> None:
    """Clients were generated from it: what they send is taken, what they read is there."""
    then = json.loads(Path(__file__).with_name("openapi-0.1.0.json").read_text())
    now = json.loads(KEPT.read_text())
    for path, item in then["paths"].items():
        for method, call in item.items():
            mine = now["paths"][path][method]
            assert mine["operationId"] == call["operationId"]
            assert set(call["responses"]) <= set(mine["responses"])
            known = {each["name"] for each in call.get("parameters", ())}
            params = {each["name"]: each for each in mine.get("parameters", ())}
            assert known <= set(params)
            assert not any(each.get("required") for name, each in params.items() if name not in known)
            for status, answer in call["responses"].items():
                assert set(answer.get("content", {})) == set(mine["responses"][status].get("content", {}))
    for name, schema in then["components"]["schemas"].items():
        mine = now["components"]["schemas"][name]
        for each, of in schema.get("properties", {}).items():
            told = wordless(mine["properties"][each])
            assert told == (CODE if each == "code" else wordless(of)), (name, each)
        if name.endswith(("Form", "Request")):
            assert set(mine.get("required", ())) == set(schema.get("required", ())), name


def wordless(node: Any) -> Any:
    """A part of the description without its prose, which may get better. What it is by default stands there now."""
    if isinstance(node, dict):
        return {key: wordless(value) for key, value in node.items() if key not in ("description", "default")}
    return [wordless(each) for each in node] if isinstance(node, list) else node


def test_it_is_valid_and_complete() -> None:
    document = json.loads(KEPT.read_text())
    validate(document)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["operationId"], where
            assert "security" in operation, where
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and path != "/healthz/ready":
                    assert list(answer["content"]) == ["application/problem+json"], (where, status)
                assert "X-Request-Id" in answer["headers"], (where, status)
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["example"]) <= set(problem["properties"])


def parts_of(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in the description, however deep."""
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts_of(each)
    if isinstance(node, dict):
        yield node


def test_it_says_who_serves_it_and_which_release() -> None:
    document = json.loads(KEPT.read_text())

    assert document["info"]["version"] == version("stemsvc")
    assert [each["url"] for each in document["servers"]] == ["http://127.0.0.1:8080"]
    program = "from api.app import create_app; from stemsvc.settings import Settings; import sys, json\n"
    program += "app = create_app(Settings(data_dir='/nonexistent', public_url='https://stems.example/music/'))\n"
    program += "json.dump(app.test_client().get('/openapi.json').get_json()['servers'], sys.stdout)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert [each["url"] for each in json.loads(told)] == ["https://stems.example/music"]


def test_generators_can_make_clients_of_it() -> None:
    document = json.loads(KEPT.read_text())
    for path, item in document["paths"].items():
        for method, call in item.items():  # of several media types generators take the first, or JSON
            assert len(call.get("requestBody", {}).get("content", {"": 0})) == 1, (method, path)
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {})
        assert [each for each, of in fields.items() if "default" in of] == [], name  # it would become required
    assert document["components"]["schemas"]["JobForm"]["required"] == ["file"]
    assert document["components"]["schemas"]["JobRequest"]["required"] == ["source"]
    patterns = {each["pattern"] for each in parts_of(document) if isinstance(each.get("pattern"), str)}
    assert patterns
    assert [each for each in patterns if not (each.startswith("^") and each.endswith("$")) or "\\Z" in each] == []


def test_every_code_and_every_webhook_is_described() -> None:
    document = json.loads(KEPT.read_text())
    schemas = document["components"]["schemas"]

    assert schemas["ErrorCode"]["enum"] == list(own_errors())
    assert set(document["webhooks"]) == {*map(str, EventType), *map(str, WorkflowEventType), TEST}
    for name, item in document["webhooks"].items():
        content = item["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert name in schemas[content.rsplit("/", 1)[1]]["properties"]["type"]["enum"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    environment = plain_environment(
        STEMSVC_DATA_DIR=str(tmp_path / "data"),
        STEMSVC_BROKER_URL=f"redis://127.0.0.1:{free_port()}/0",
        STEMSVC_MAX_WAIT_SECONDS="0.1",
        STEMSVC_MAX_WAITING_PER_POOL="100000",
        STEMSVC_MAX_WAITING_PER_KEY="100000",
        STEMSVC_MAX_UPLOADS_PER_KEY="100000",
        STEMSVC_LOG_LEVEL="WARNING",
    )

    def answers(_: LocalProcess) -> bool:
        try:
            return httpx.get(f"{url}/healthz/live", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    process = LocalProcess("api", stemsvc("api", "--port", url.rsplit(":", 1)[1]), environment, tmp_path, answers)
    process.ready()
    yield url
    process.teardown()
    assert "Traceback" not in process.logs()


@pytest.mark.long
def test_the_server_does_what_is_described(server: str, tmp_path: Path) -> None:
    # The streams of events have no end, or none before their jobs': tests/api/views/test_events.py, test_feed.py
    # and test_conversation_events.py read them. Once a key is made, each call needs one: test_key_calls.py makes some.
    config = Path(__file__).with_name("schemathesis.toml")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            str(config),
            "run",
            f"{server}/openapi.json",
            *(
                word
                for name in ("followJob", "followJobs", "followConversation", "createKey")
                for word in ("--exclude-operation-id", name)
            ),
            "--checks",
            "all",
            "--max-examples",
            "10",
            "--seed",
            "1",
            "--no-color",
            "--request-timeout",
            "20",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    # it warns of calls that it can't make by chance: a track, an id that only another process gives
    assert re.search(r"(\d+) generated, \1 passed", done.stdout), done.stdout
