"""Sources of each kind that are an earlier job's files: those that it lacks, those that are gone, and too many."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.control.services import Services
from tests.api.views.test_job_outputs import separated
from tests.api.views.test_keys import code

# The path, and the body of a source.
KINDS: dict[str, Any] = {
    "analyses": lambda source: {"source": source},
    "mixes": lambda source: {"tracks": [{"source": source}]},
    "masters": lambda source: {"source": source},
    "transcriptions": lambda source: {"sources": [source]},
    "exports": lambda source: {"sources": [source]},
}
each_kind = pytest.mark.parametrize("path", KINDS)


def asked(client: Any, path: str, source: dict[str, Any]) -> Any:
    return client.post(f"/v1/{path}:from-source", json=KINDS[path](source))


@each_kind
def test_a_stem_that_the_job_lacks_is_refused_and_the_others_are_named(client: Any, parts: Services, path: str) -> None:
    answer = asked(client, path, {"job_id": separated(client, parts), "output": "flute"})

    assert code(answer) == (422, "unknown_output")
    assert "vocals, drums" in answer.json["detail"]


@each_kind
def test_a_job_that_has_expired_is_no_source(client: Any, parts: Services, path: str) -> None:
    earlier = separated(client, parts)
    parts.store.expire(-1.0)

    assert code(asked(client, path, {"job_id": earlier, "output": "vocals"})) == (410, "source_expired")


@each_kind
def test_what_expires_after_the_job_was_accepted_does_it_no_harm(client: Any, parts: Services, path: str) -> None:
    earlier = separated(client, parts)
    answer = asked(client, path, {"job_id": earlier, "output": "vocals"})
    assert answer.status_code == 201, answer.json
    assert client.delete(f"/v1/jobs/{earlier}").status_code == 204

    kept = parts.store.get(answer.json["id"])
    assert kept is not None
    assert [each.key for each in kept.inputs] == parts.storage.keys("jobs/")


@pytest.mark.parametrize(("path", "most"), [("transcriptions", 16), ("exports", 64)])
def test_more_tracks_than_a_kind_takes_are_refused(client: Any, parts: Services, path: str, most: int) -> None:
    source = {"job_id": separated(client, parts), "output": "vocals"}
    answer = client.post(f"/v1/{path}:from-source", json={"sources": [source] * (most + 1)})

    assert code(answer)[0] == 422
    assert str(most) in str(answer.json)
