"""`POST /v1/analyses`."""

from __future__ import annotations

from typing import Any

import pytest

from stemsvc.control.services import Services
from tests.api.views.test_job_outputs import separated
from tests.api.views.test_keys import code
from tests.api.views.test_sources import upload


def analyse(client: Any, **body: Any) -> Any:
    return client.post("/v1/analyses:from-source", json=body)


def test_a_song_and_the_stems_of_a_job_become_inputs(client: Any, parts: Services) -> None:
    earlier, place = separated(client, parts), upload(client, b"la la", filename="song.wav")
    answer = analyse(
        client, source={"upload_id": place["upload_id"]}, stems={"job_id": earlier}, click="alone", format="wav"
    )

    assert answer.status_code == 201, answer.json
    job = answer.json
    assert (job["kind"], job["params"]["click"], job["params"]["use_stems"]) == ("analyze", "alone", "auto")
    kept = parts.store.get(job["id"])
    assert kept is not None
    assert [(each.role, each.from_output) for each in kept.inputs] == [
        ("source", ""),
        ("stem", "vocals"),
        ("stem", "drums"),
    ]
    assert job["inputs"] == [
        {"name": "song.wav", "role": "source", "job_id": None, "output": None},
        *(
            {"name": each.name, "role": "stem", "job_id": earlier, "output": each.from_output}
            for each in kept.inputs[1:]
        ),
    ]


@pytest.mark.parametrize("field", [{"use_stems": "sometimes"}, {"click": "loud"}, {"start": 5, "end": 2}])
def test_wrong_values_are_refused(client: Any, field: dict[str, Any]) -> None:
    place = upload(client, b"la la", filename="song.wav")

    status, refusal = code(analyse(client, source={"upload_id": place["upload_id"]}, **field))
    assert (status, refusal) in ((422, "invalid_fields"), (422, "bad_options"))
