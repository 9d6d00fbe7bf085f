"""`/v1/workflows:plan`: what a workflow would take."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from stemsvc.jobstore.tables import jobs as job_rows
from stemsvc.jobstore.workers import Worker
from tests.api.views.test_keys import code, make
from tests.api.views.test_sources import URL, upload
from tests.api.views.test_workflows import AGAIN, SPLIT, done, jobs_of, made


def plan(client: Any, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post("/v1/workflows:plan", json=body, headers=headers or {})


def live(parts: Services, pool: str, slots: int = 1) -> None:
    parts.store.workers.beat(Worker(f"of {pool}", (pool,), "cpu", "", slots, kinds=("separate",)), 600)
    parts.store.workers._known_until = 0.0


def test_a_plan_says_what_each_step_would_take_and_makes_nothing(client: Any, parts: Services) -> None:
    answer = plan(client, steps=[SPLIT, AGAIN], seconds=[60.0])

    assert answer.status_code == 200, answer.json
    found = answer.json
    split, again = found["steps"]
    assert (split["step"], split["kind"], split["model"], split["after"]) == ("split", "separate", "demo", [])
    assert (again["step"], again["after"]) == ("again", ["split"])
    assert split["why"].startswith("device auto: ")
    assert not split["alive"]
    assert again["starts_seconds"] == split["ends_seconds"] > 0
    assert found["total_seconds"] == again["ends_seconds"]
    assert found["work_seconds"] == pytest.approx(split["work_seconds"] + again["work_seconds"], abs=0.2)
    assert split["stored_bytes"] == pytest.approx(2 * again["stored_bytes"], abs=1)
    assert again["stored_bytes"] > 60 * 50_000
    assert found["stored_bytes"] == split["stored_bytes"] + again["stored_bytes"]
    assert (found["waiting_seconds"], split["measured"]) == (0.0, False)
    assert parts.store.recent() == []
    assert parts.storage.keys("jobs/") == []
    twice = plan(client, steps=[SPLIT, AGAIN], seconds=[120.0]).json
    assert twice["work_seconds"] > 1.5 * found["work_seconds"]


def test_what_waits_before_it_and_how_fast_the_pool_was_are_told(client: Any, parts: Services) -> None:
    first = plan(client, steps=[SPLIT], seconds=[60.0]).json
    pool, predicted = first["steps"][0]["pool"], first["steps"][0]["work_seconds"]
    live(parts, pool)
    for _ in range(3):
        made(client, steps=[SPLIT])  # another one's jobs, of 240 s each: their lengths are not known
    waiting = plan(client, steps=[SPLIT], seconds=[60.0]).json
    assert waiting["steps"][0]["alive"]
    assert waiting["waiting_seconds"] == pytest.approx(12 * predicted, rel=0.1)
    assert waiting["pools"] == [{"name": pool, "slots": 1, "waiting_seconds": waiting["waiting_seconds"]}]

    workflow = made(client, steps=[SPLIT])
    job_id = jobs_of(workflow)["split"]
    done(parts, job_id, "vocals", "drums")
    engine = sa.create_engine(parts.settings.resolved_database_url)
    with engine.begin() as connection:  # it took half of what was predicted
        row = connection.execute(sa.select(job_rows.c.cost).where(job_rows.c.id == job_id)).one()
        half = job_rows.c.started_at + row.cost / 2
        connection.execute(job_rows.update().where(job_rows.c.id == job_id).values(finished_at=half))
    engine.dispose()
    measured = plan(client, steps=[SPLIT], seconds=[60.0]).json["steps"][0]
    assert (measured["measured"], measured["work_seconds"]) == (True, pytest.approx(predicted / 2, rel=0.1, abs=0.1))


def test_a_key_s_songs_wait_for_their_turn_and_not_for_all_that_wait(client: Any, parts: Services) -> None:
    many, late = make(parts, Scope.SUBMIT, Scope.READ), make(parts, Scope.SUBMIT, Scope.READ)
    live(parts, plan(client, many, steps=[SPLIT], seconds=[60.0]).json["steps"][0]["pool"])
    place = client.post("/v1/uploads", json={"filename": "a.wav"}, headers=many).json
    client.put(place["url"], data=b"la")
    for _ in range(5):
        made_by = client.post(
            "/v1/workflows", json={"source": {"upload_id": place["upload_id"]}, "steps": [SPLIT]}, headers=many
        )
        assert made_by.status_code == 201
    of_many = plan(client, many, steps=[SPLIT], seconds=[60.0]).json["waiting_seconds"]
    of_late = plan(client, late, steps=[SPLIT], seconds=[60.0]).json["waiting_seconds"]
    assert of_late <= of_many / 4


def test_a_recipe_an_upload_and_a_song_of_unknown_length_can_be_planned(client: Any) -> None:
    recipe: dict[str, Any] = {"recipe": "karaoke", "params": {"format": "mp3"}}
    sources: tuple[dict[str, Any], ...] = ({"seconds": [None]}, {"source": {"upload_id": upload(client)["upload_id"]}})
    for source in sources:
        answer = plan(client, **recipe, **source)
        assert answer.status_code == 200, answer.json
        assert answer.json["total_seconds"] > 0


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"steps": [SPLIT]}, 422, "takes 1 of the role source, not 0"),
        ({"steps": [{**SPLIT, "do": "cook"}], "seconds": [3]}, 422, "steps[0].do"),
        ({"steps": [SPLIT], "seconds": [1e6 * 9]}, 422, "seconds"),
        ({"steps": [SPLIT], "seconds": [86400.0 * 6]}, 422, "step split: "),
        ({"steps": [SPLIT], "seconds": ["x"]}, 422, "seconds"),
        ({"steps": [SPLIT], "seconds": [3], "source": {"url": URL}}, 422, "either seconds or sources"),
        ({"recipe": "nothing", "seconds": [3]}, 422, "nothing"),
        ({"recipe": "karaoke", "params": {"format": 3}, "seconds": [3]}, 422, "params.format"),
    ],
)
def test_what_would_be_refused_is_refused_now(client: Any, body: dict[str, Any], status: int, words: str) -> None:
    answer = plan(client, **body)
    assert answer.status_code == status, answer.json
    assert words in str(answer.json)


def test_who_may_not_submit_may_not_plan(client: Any, parts: Services) -> None:
    assert code(plan(client, make(parts, Scope.READ), steps=[SPLIT], seconds=[3.0])) == (403, "forbidden")
