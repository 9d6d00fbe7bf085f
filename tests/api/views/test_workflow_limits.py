"""`/v1/workflows` that break a limit: each is refused as a whole, with the path of the step where it is one's fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.control.services import Services
from stemsvc.jobstore.tables import idempotency_keys, job_waits, usage, workflows
from tests.api.views.test_keys import code
from tests.api.views.test_sources import small_key, upload
from tests.api.views.test_workflows import AGAIN, SPLIT, done, jobs_of, post
from tests.sounds import tone, write_sound

SECONDS = 1.2


@pytest.fixture
def song(tmp_path: Path) -> bytes:
    """A song whose length its header tells."""
    return write_sound(tmp_path / "song.flac", tone(SECONDS, 8000), 8000).read_bytes()


def source(client: Any, song: bytes, headers: dict[str, str] | None = None) -> dict[str, str]:
    return {"upload_id": upload(client, song, headers)["upload_id"]}


def assert_nothing_is_left(parts: Services) -> None:
    """No row of the workflow, none of its jobs, none of what they would use, and no file."""
    engine = sa.create_engine(parts.settings.resolved_database_url)
    try:
        with engine.connect() as connection:
            for table in (workflows, job_waits, usage, idempotency_keys):
                assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 0, table.name
    finally:
        engine.dispose()
    assert parts.store.recent() == []
    assert parts.storage.keys("jobs/") == []


@pytest.mark.parametrize(
    ("changes", "step", "device", "refused", "detail"),
    [
        ({"pools": "demo:cpu"}, {"model": "htdemucs"}, "auto", "no_pool", "configured for model htdemucs"),
        ({"pools": "demo:cpu,htdemucs:cuda"}, {"model": "demo"}, "cuda", "no_pool", "model demo on device cuda"),
        ({"job_time_limit_seconds": 1}, {"model": "htdemucs", "shifts": 20}, "auto", "too_much_work", "at most 1 s"),
    ],
)
def test_a_step_that_can_t_be_done_here_is_told_by_its_path(
    app_with: Callable[..., Any],
    song: bytes,
    changes: dict[str, Any],
    step: dict[str, Any],
    device: str,
    refused: str,
    detail: str,
) -> None:
    client = app_with(**changes)
    first = {**SPLIT, "with": {"model": "htdemucs" if device == "cuda" else "demo"}}
    steps = [first, {**SPLIT, "id": "late", "with": step}]

    answer = post(client, headers={"Idempotency-Key": "one"}, source=source(client, song), steps=steps, device=device)

    assert code(answer) == (422, refused), answer.json
    assert answer.json["detail"].startswith("steps[1]: step late: "), answer.json
    assert detail in answer.json["detail"]
    assert_nothing_is_left(client.application.extensions["stemsvc"])


def test_a_song_of_several_that_is_too_much_work_is_told_by_its_number(
    app_with: Callable[..., Any], song: bytes, tmp_path: Path
) -> None:
    client = app_with(max_duration_seconds=5)
    long = write_sound(tmp_path / "long.flac", tone(6.0, 8000), 8000, kind="song.flac").read_bytes()
    sources = [source(client, each) for each in (song, song, long)]
    answer = post(client, sources=sources, steps=[{**SPLIT, "for_each": "sources"}, {**AGAIN, "for_each": "sources"}])
    assert code(answer) == (422, "track_too_long"), answer.json
    assert answer.json["detail"].startswith("steps[0]: step split[2]: the track plays for 6 s")
    assert_nothing_is_left(client.application.extensions["stemsvc"])


def test_more_jobs_than_a_key_may_have_wait_are_refused_as_one(client: Any, parts: Services, song: bytes) -> None:
    headers = small_key(parts, max_waiting=2)
    given = source(client, song, headers)
    three = [{**SPLIT, "id": f"part{number}"} for number in range(3)]

    answer = post(client, headers={**headers, "Idempotency-Key": "one"}, source=given, steps=three)

    assert code(answer) == (429, "key_queue_full")
    assert int(answer.headers["Retry-After"]) >= 1
    assert_nothing_is_left(parts)
    # what waits for inputs is in no queue yet
    chain = [*three[:2], {**AGAIN, "inputs": {"source": "part0.vocals"}}]
    assert post(client, headers={**headers, "Idempotency-Key": "one"}, source=given, steps=chain).status_code == 201


def test_more_audio_than_a_key_may_send_in_a_day_is_refused_as_one(client: Any, parts: Services, song: bytes) -> None:
    headers = small_key(parts, minutes_per_day=2.5 * SECONDS / 60)
    given = source(client, song, headers)
    three = [{**SPLIT, "id": f"part{number}"} for number in range(3)]

    answer = post(client, headers={**headers, "Idempotency-Key": "one"}, source=given, steps=three)

    assert code(answer) == (429, "quota_exceeded")
    assert 86000 < int(answer.headers["Retry-After"]) <= 86400
    assert_nothing_is_left(parts)
    fitting = post(client, headers={**headers, "Idempotency-Key": "one"}, source=given, steps=three[:2])
    assert fitting.status_code == 201, fitting.json
    assert code(post(client, headers=headers, source=given, steps=three[:1])) == (429, "quota_exceeded")
    assert len(parts.store.recent()) == 2


def test_more_bytes_than_a_key_may_store_are_refused_as_one(client: Any, parts: Services, song: bytes) -> None:
    headers = small_key(parts, max_stored_bytes=len(song) * 3)
    given = source(client, song, headers)  # the upload is stored, too
    answer = post(client, headers=headers, source=given, steps=[{**SPLIT, "id": f"part{each}"} for each in range(3)])
    assert code(answer) == (429, "key_storage_full")
    assert_nothing_is_left(parts)


def test_usage_counts_the_jobs_of_a_workflow(client: Any, parts: Services, song: bytes) -> None:
    headers, other = small_key(parts), small_key(parts)
    workflow = post(client, headers=headers, source=source(client, song, headers), steps=[SPLIT, AGAIN]).json
    ids = jobs_of(workflow)
    for step, device in (("split", 30.0), ("again", 12.0)):
        done(parts, ids[step], "vocals", "drums")
        parts.store.usage.spend(ids[step], device)

    def used(who: dict[str, str]) -> list[tuple[dict[str, int], float, float]]:
        accounts = client.get("/v1/usage", headers=who).json["accounts"]
        return [(each["jobs"], each["audio_minutes"], each["device_seconds"]) for each in accounts]

    assert used(headers) == [({"succeeded": 2}, 0.1, 42.0)]  # each job's track has 3 s
    assert used(other) == []
    client.delete(f"/v1/workflows/{workflow['id']}", headers=headers)
    assert used(headers) == [({"succeeded": 2}, 0.1, 42.0)]  # what was deleted was used all the same
