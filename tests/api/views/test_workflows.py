"""`/v1/workflows`: a graph of separations, its jobs done by hand."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from stemsvc.accounts.keys import Scope
from stemsvc.control.services import Services
from stemsvc.jobs.pools import FETCH, INPUTS
from stemsvc.jobstore.leases import Origin
from tests.api.views.test_keys import code, make
from tests.api.views.test_sources import URL, upload
from tests.processes import wait_for

SPLIT = {"id": "split", "do": "separate", "with": {"stems": ["vocals", "drums"], "model": "demo"}}
AGAIN = {"id": "again", "do": "separate", "with": {"stems": ["vocals"]}, "inputs": {"source": "split.vocals"}}


def post(client: Any, path: str = "", headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post(f"/v1/workflows{path}", json=body or None, headers=headers or {})


def made(client: Any, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"source": {"upload_id": upload(client)["upload_id"]}, "steps": [SPLIT, AGAIN], **more}
    answer = post(client, **body)
    assert answer.status_code == 201, answer.json
    found: dict[str, Any] = answer.json
    return found


def jobs_of(workflow: dict[str, Any]) -> dict[str, str]:
    return {job["step"]: job["id"] for step in workflow["steps"] for job in step["jobs"]}


def done(parts: Services, job_id: str, *stems: str, code: str = "") -> None:
    """A worker does the job."""
    taken = parts.store.leases.take(job_id, "worker", 60)
    assert taken is not None
    if code:
        assert parts.store.leases.fail(taken[1], code, "no")
        return
    outputs = {}
    for stem in stems:
        key = f"{taken[1].prefix}/{stem}.flac"
        size = parts.storage.put(key, io.BytesIO(b"la la"), "audio/flac")
        outputs[stem] = {"key": key, "bytes": size, "content_type": "audio/flac", "sha256": "0" * 64}
    assert parts.store.leases.succeed(taken[1], {"duration_seconds": 3.0}, outputs)


def test_a_graph_is_made_followed_and_answered_with_its_outputs(client: Any, parts: Services) -> None:
    workflow = made(client, name="My song", metadata={"album": 7})
    assert (workflow["state"], workflow["name"], workflow["metadata"]) == ("running", "My song", {"album": 7})
    assert [(step["id"], step["do"], step["state"]) for step in workflow["steps"]] == [
        ("split", "separate", "queued"),
        ("again", "separate", "waiting_for_inputs"),
    ]
    ids = jobs_of(workflow)
    assert client.get(f"/v1/jobs/{ids['again']}").json["progress"]["stage"] == "waiting_for_inputs"

    done(parts, ids["split"], "vocals", "drums")
    half = client.get(f"/v1/workflows/{workflow['id']}").json
    assert [step["state"] for step in half["steps"]] == ["succeeded", "queued"]
    assert 0 < half["progress"]["fraction"] < 1
    done(parts, ids["again"], "vocals")

    whole = client.get(f"/v1/workflows/{workflow['id']}").json
    told = {"fraction": 1.0, "jobs": 2, "ended": 2, "eta_seconds": None}
    assert (whole["state"], whole["progress"]) == ("succeeded", told)
    assert list(whole["outputs"]) == ["again.vocals"]  # of the last step
    assert whole["outputs"]["again.vocals"]["job_id"] == ids["again"]
    with client.get(whole["outputs"]["again.vocals"]["url"]) as answer:
        assert answer.data == b"la la"
    whys = [entry["why"] for entry in whole["decisions"] if entry["step"] == "again"]
    assert whys[0].startswith("accepted as step again; device auto: ")
    assert any(why.startswith("its inputs are there") for why in whys)
    listed = client.get("/v1/workflows").json["workflows"]
    assert [(each["id"], each["state"]) for each in listed] == [(workflow["id"], "succeeded")]


def test_its_time_left_is_told_from_the_first_measured_progress_on(client: Any, parts: Services) -> None:
    workflow = made(client)
    ids, path = jobs_of(workflow), f"/v1/workflows/{workflow['id']}"
    split, again = (parts.store.get(ids[step]) for step in ("split", "again"))
    assert split is not None
    assert again is not None

    def eta() -> Any:
        (listed,) = client.get("/v1/workflows").json["workflows"]
        told = client.get(path).json["progress"]
        assert told.keys() == listed["progress"].keys()
        assert (told["eta_seconds"] is None) == (listed["progress"]["eta_seconds"] is None)
        return told["eta_seconds"]

    assert workflow["progress"]["eta_seconds"] is eta() is None
    taken = parts.store.leases.take(split.id, "worker", 60)
    assert taken is not None
    assert eta() is None
    parts.store.leases.heartbeat(taken[1], 60, 0.25, "separating", 1000.0)
    own = client.get(f"/v1/jobs/{split.id}").json["progress"]["eta_seconds"]
    # what waits for it comes after it; its pool, another model's, has not worked yet
    assert eta() == pytest.approx(own + again.cost, abs=10)
    parts.store.leases.heartbeat(taken[1], 60, 0.75, "separating", 10.0)
    assert eta() < own
    assert post(client, f"/{workflow['id']}/cancel").json["progress"]["eta_seconds"] is None


def test_each_job_s_progress_weighs_what_the_job_is_predicted_to_cost(client: Any, parts: Services) -> None:
    heavy = {**SPLIT, "id": "heavy", "with": {"stems": ["vocals"], "model": "htdemucs", "shifts": 10}}
    workflow = made(client, steps=[SPLIT, heavy])
    ids, path = jobs_of(workflow), f"/v1/workflows/{workflow['id']}"
    light, large = (job.cost for job in (parts.store.get(ids["split"]), parts.store.get(ids["heavy"])) if job)
    assert large > 10 * light  # one of two jobs is far less than half of the work

    def fraction() -> float:
        told: float = client.get(path).json["progress"]["fraction"]
        return told

    done(parts, ids["split"], "vocals", "drums")
    assert fraction() == pytest.approx(light / (light + large), abs=1e-4)
    taken = parts.store.leases.take(ids["heavy"], "worker", 60)
    assert taken is not None
    parts.store.leases.heartbeat(taken[1], 60, 0.5, "separating", 30.0)
    assert fraction() == pytest.approx((light + large / 2) / (light + large), abs=1e-4)
    (listed,) = client.get("/v1/workflows").json["workflows"]
    assert listed["progress"]["fraction"] == fraction()


def test_the_log_says_what_came_from_the_cache_and_what_was_tried_again(client: Any, parts: Services) -> None:
    workflow = made(client)
    ids, store = jobs_of(workflow), parts.store
    lost = store.leases.take(ids["split"], "first", 60)
    assert lost is not None
    assert store.leases.give_back(lost[1], "storage_unavailable: it is away; tried again in 0 s", -1.0)
    taken = store.leases.take(ids["split"], "second", 60)
    assert taken is not None
    outputs = {"vocals": {"key": f"{taken[1].prefix}/vocals.flac", "bytes": 5, "content_type": "audio/flac"}}
    assert store.leases.succeed(taken[1], {}, outputs, Origin(cached=True), noun="stems")

    log = client.get(f"/v1/workflows/{workflow['id']}").json["decisions"]

    split = [(each["from"], each["to"], each["why"], each["worker"]) for each in log if each["step"] == "split"]
    assert split[1:] == [
        ("queued", "running", "attempt 1 started", "first"),
        ("running", "queued", "storage_unavailable: it is away; tried again in 0 s", "first"),
        ("queued", "running", "attempt 2 started", "second"),
        ("running", "succeeded", "1 stems stored, taken from an earlier job", "second"),
    ]
    (job,) = client.get(f"/v1/workflows/{workflow['id']}").json["steps"][0]["jobs"]
    assert job["attempt"] == 2
    assert client.get(f"/v1/jobs/{ids['split']}").json["cached"]
    moments = [each["at"] for each in log]
    assert moments == sorted(moments)  # one log of all steps, in order
    again = [each["why"] for each in log if each["step"] == "again"]
    assert again[-1].startswith("its inputs are there; ")


def test_only_the_outputs_that_were_asked_for_come(client: Any, parts: Services) -> None:
    workflow = made(client, outputs=["split.drums"])
    ids = jobs_of(workflow)
    done(parts, ids["split"], "vocals", "drums")
    done(parts, ids["again"], "vocals")
    assert list(client.get(f"/v1/workflows/{workflow['id']}").json["outputs"]) == ["split.drums"]
    # what a later step took is still the earlier one's
    assert parts.storage.size(f"jobs/{ids['split']}/attempt-1/vocals.flac") == 5
    parts.janitor.sweep()
    assert parts.storage.size(f"jobs/{ids['split']}/attempt-1/vocals.flac") == 5


def test_one_song_each_and_a_failure_that_does_not_count(client: Any, parts: Services) -> None:
    sources = [{"upload_id": upload(client)["upload_id"]} for _ in range(2)]
    steps = [{**SPLIT, "for_each": "sources", "on_failure": "continue"}, {**AGAIN, "for_each": "sources"}]
    workflow = made(client, source=None, sources=sources, steps=steps)
    ids = jobs_of(workflow)
    assert sorted(ids) == ["again[0]", "again[1]", "split[0]", "split[1]"]

    done(parts, ids["split[0]"], code="not_audio")
    done(parts, ids["split[1]"], "vocals", "drums")
    done(parts, ids["again[1]"], "vocals")

    ended = client.get(f"/v1/workflows/{workflow['id']}").json
    assert (ended["state"], ended["error"]) == ("succeeded", None)
    assert [job["error"] and job["error"]["code"] for job in ended["steps"][1]["jobs"]] == ["upstream_failed", None]


def test_a_failed_workflow_is_tried_again_from_where_it_failed(client: Any, parts: Services) -> None:
    workflow = made(client)
    ids = jobs_of(workflow)
    done(parts, ids["split"], "vocals", "drums")
    done(parts, ids["again"], code="worker_lost")
    failed = client.get(f"/v1/workflows/{workflow['id']}").json
    assert (failed["state"], failed["error"]["step"], failed["error"]["code"]) == ("failed", "again", "worker_lost")

    answer = post(client, f"/{workflow['id']}/retry", {"Idempotency-Key": "once"})

    assert answer.status_code == 201, answer.json
    again = answer.json
    assert again["retry_of"] == workflow["id"]
    assert list(jobs_of(again)) == ["again"]
    assert post(client, f"/{workflow['id']}/retry", {"Idempotency-Key": "once"}).json["id"] == again["id"]
    done(parts, jobs_of(again)["again"], "vocals")
    assert client.get(f"/v1/workflows/{again['id']}").json["state"] == "succeeded"
    assert code(post(client, f"/{again['id']}/retry")) == (409, "workflow_not_retryable")


def test_cancel_and_delete_act_on_all_of_it(client: Any, parts: Services) -> None:
    workflow = made(client)
    done(parts, jobs_of(workflow)["split"], "vocals", "drums")

    canceled = post(client, f"/{workflow['id']}/cancel").json
    assert canceled["state"] == "canceled"
    assert [step["state"] for step in canceled["steps"]] == ["succeeded", "canceled"]
    assert post(client, f"/{workflow['id']}/cancel").status_code == 200

    assert client.delete(f"/v1/workflows/{workflow['id']}").status_code == 204
    assert parts.storage.keys("jobs/") == []
    assert parts.store.recent() == []
    assert code(client.get(f"/v1/workflows/{workflow['id']}")) == (404, "workflow_not_found")


def test_a_request_that_is_sent_again_makes_no_second_workflow(client: Any, parts: Services) -> None:
    body: dict[str, Any] = {"source": {"upload_id": upload(client)["upload_id"]}, "steps": [SPLIT, AGAIN]}
    key = {"Idempotency-Key": "one"}
    first, second = post(client, headers=key, **body), post(client, headers=key, **body)
    assert first.json["id"] == second.json["id"]
    assert len(parts.store.recent()) == 2
    assert code(post(client, headers=key, **{**body, "steps": [SPLIT]})) == (409, "idempotency_conflict")


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"steps": []}, 422, "steps: name at least one step"),
        ({"steps": [{**SPLIT, "do": "cook"}]}, 422, "steps[0].do"),
        ({"steps": [{**SPLIT, "with": {"stems": ["flute"], "model": "demo"}}]}, 422, "steps[0].with: the model has no"),
        ({"steps": [{**SPLIT, "with": {"shifts": -1}}]}, 422, "shifts"),
        ({"steps": [{**SPLIT, "with": {"file": "x"}}]}, 422, "steps[0].with.file: a step has no file of its own"),
        ({"steps": [{**SPLIT, "with": {"model": "nothing"}}]}, 422, "steps[0].with: "),
        ({"outputs": ["split.flute"]}, 422, "outputs[0]: split makes "),
        ({"source": None}, 422, "steps[0].inputs.source: separate takes 1 of the role source, not 0"),
        ({"source": None, "steps": [{**SPLIT, "for_each": "sources"}]}, 422, "sources: name at least one source"),
        ({"source": None, "steps": None, "recipe": "remaster"}, 422, "steps[0].inputs.source: separate takes 1 of"),
        ({"source": None, "sources": []}, 422, ""),
        ({"source": {"upload_id": "0" * 32}}, 404, "no such upload"),
        ({"sources": [{"url": URL}]}, 422, ""),
        ({"webhook_url": "http://10.0.0.1/"}, 422, ""),
        ({"webhook_events": ["job.succeeded"]}, 422, ""),
        ({"metadata": {"a": "x" * 9000}}, 422, ""),
        ({"flavour": 1}, 422, ""),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(
    client: Any, parts: Services, changes: dict[str, Any], status: int, words: str
) -> None:
    body: dict[str, Any] = {"source": {"upload_id": upload(client)["upload_id"]}, "steps": [SPLIT], **changes}
    answer = post(client, **body)
    assert answer.status_code == status, answer.json
    assert words in str(answer.json)
    assert parts.store.recent() == []
    assert parts.storage.keys("jobs/") == []


def form(client: Any, data: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    return client.post("/v1/workflows", data=data, content_type="multipart/form-data", headers=headers or {})


def a_file(content: bytes = b"la la", name: str = "song.wav") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


def test_a_song_and_its_workflow_come_in_one_request(client: Any, parts: Services) -> None:
    key = {"Idempotency-Key": "one"}
    first, again = (
        form(client, {"file": a_file(), "recipe": "karaoke", "params": '{"model": "demo"}', "cache": "false"}, key)
        for _ in range(2)
    )
    assert first.status_code == 201, first.json
    assert (first.json["name"], first.json["recipe"]) == ("song.wav", "karaoke")
    assert again.json["id"] == first.json["id"]
    waiting = [parts.store.get(job_id) for job_id in jobs_of(first.json).values()]
    assert [job and job.inputs[0].name for job in waiting if job and job.step != "karaoke"] == ["song.wav"] * 2


def test_sources_of_a_form_name_its_parts_and_steps_are_json(client: Any, parts: Services) -> None:
    steps = [{**SPLIT, "for_each": "sources"}, {**AGAIN, "for_each": "sources"}]
    sources = [{"file": "b"}, {"file": "a"}, {"upload_id": upload(client)["upload_id"]}]
    data = {"a": a_file(name="a.wav"), "b": a_file(name="b.wav"), "steps": json.dumps(steps)}
    answer = form(client, {**data, "sources": [json.dumps(each) for each in sources], "outputs": ["split", "again"]})
    assert answer.status_code == 201, answer.json
    found = [parts.store.get(jobs_of(answer.json)[f"split[{number}]"]) for number in range(3)]
    assert [job and job.name for job in found] == ["b.wav", "a.wav", "track"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"steps": "[{"}, 422, "invalid_fields"),
        ({"steps": "[" * 100_000}, 422, "invalid_fields"),
        ({"steps": '{"id": "a\\u0000", "do": "separate"}'}, 422, "invalid_fields"),
        ({"steps": '"split"'}, 422, "invalid_fields"),
        ({"steps": '[{"id": "a", "do": "mix", "with": {"tracks": [[[]]]}}]'}, 422, "bad_workflow"),
        ({"params": "[]"}, 422, "invalid_fields"),
        ({"metadata": '{"a": NaN}'}, 422, "invalid_fields"),
        ({"flavour": "1"}, 422, "invalid_fields"),
        ({"file": (io.BytesIO(b""), "song.wav")}, 400, "empty_file"),
        ({"more": (io.BytesIO(b"la"), "more.wav")}, 400, "too_many_files"),
        ({"file": [a_file(), a_file()]}, 400, "too_many_files"),
        ({"source": '{"file": "x"}'}, 400, "missing_file"),
        ({"source": '{"url": "http://a/b", "file": "file"}'}, 422, "invalid_fields"),
        ({"file": (io.BytesIO(b"x" * 200_000), "song.wav")}, 413, "file_too_large"),
    ],
)
def test_hostile_forms_make_nothing(
    client: Any, parts: Services, changes: dict[str, Any], status: int, code: str
) -> None:
    data = {"file": a_file(), "steps": json.dumps([SPLIT]), **changes}
    answer = form(client, data)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    assert parts.store.recent() == []
    assert parts.storage.keys("jobs/") == []


def test_a_practice_has_a_mix_without_each_instrument(client: Any, parts: Services) -> None:
    source = {"upload_id": upload(client)["upload_id"]}
    answer = post(client, recipe="practice", params={"model": "demo"}, source=source)
    assert answer.status_code == 201, answer.json
    steps = {step["id"]: step for step in answer.json["steps"]}
    assert [job["step"] for job in steps["minus"]["jobs"]] == [
        "minus[drums]", "minus[bass]", "minus[other]", "minus[vocals]",
    ]  # fmt: skip
    assert steps["minus"]["needs"] == ["beats", "split"]
    ids = jobs_of(answer.json)
    done(parts, ids["split"], "drums", "bass", "other", "vocals")
    done(parts, ids["beats"], "click", "analysis")
    ready = parts.store.get(ids["minus[bass]"])
    assert ready is not None
    assert [each.from_output for each in ready.inputs] == ["drums", "other", "vocals", "click"]
    assert [track["name"] for track in ready.params["tracks"]] == ["drums", "other", "vocals", "click"]


def test_a_recipe_for_one_song_is_done_for_each_of_several(client: Any, parts: Services) -> None:
    sources = [{"upload_id": upload(client)["upload_id"]} for _ in range(2)]
    answer = post(client, recipe="remaster", params={"model": "demo"}, sources=sources)
    assert [*jobs_of(answer.json)] == ["split[0]", "split[1]", "mix[0]", "mix[1]", "master[0]", "master[1]"]


def test_a_mix_can_spare_none_of_its_tracks(client: Any, parts: Services) -> None:
    steps = [
        {**SPLIT, "on_failure": "continue"},
        {"id": "sum", "do": "mix", "with": {"tracks": [{"source": "split.vocals"}, {"source": "source"}]}},
    ]
    workflow = made(client, steps=steps)
    done(parts, jobs_of(workflow)["split"], code="not_audio")
    ended = client.get(f"/v1/workflows/{workflow['id']}").json
    assert ended["steps"][1]["jobs"][0]["error"]["code"] == "upstream_failed"


def test_jobs_that_take_the_same_link_wait_for_the_one_that_fetches_it(client: Any, parts: Services) -> None:
    answer = post(client, recipe="dj", params={"model": "demo"}, source={"url": URL})
    assert answer.status_code == 201, answer.json
    found = {step: parts.store.get(job_id) for step, job_id in jobs_of(answer.json).items()}
    split, beats, stems = found["split"], found["beats"], found["stems"]
    assert split is not None
    assert beats is not None
    assert stems is not None
    assert (split.pool, beats.pool, stems.pool) == (FETCH, INPUTS, INPUTS)
    assert beats.inputs[0].from_job == split.id
    assert [(each.role, each.url, each.from_job) for each in stems.inputs if each.url] == [("mixture", URL, split.id)]
    # none of the others is due, and this one is again when nobody has taken its message
    wait_for("the return of its message", lambda: parts.store.outbox.due() == [split.id])
    again = post(client, f"/{answer.json['id']}/cancel").json
    tried = post(client, f"/{again['id']}/retry").json
    second = {step: parts.store.get(job_id) for step, job_id in jobs_of(tried).items()}
    assert [job and job.pool for job in second.values()] == [FETCH, INPUTS, INPUTS]


def test_nobody_sees_another_key_s_workflow(client: Any, parts: Services) -> None:
    mine, others = make(parts, Scope.SUBMIT, Scope.READ), make(parts, Scope.SUBMIT, Scope.READ)
    place = client.post("/v1/uploads", json={"filename": "a.wav"}, headers=mine).json
    client.put(place["url"], data=b"la")
    body: dict[str, Any] = {"source": {"upload_id": place["upload_id"]}, "steps": [SPLIT]}
    assert code(post(client, headers=others, **body)) == (404, "upload_not_found")
    workflow = post(client, headers=mine, **body).json

    for call in (client.get, client.delete):
        assert code(call(f"/v1/workflows/{workflow['id']}", headers=others)) == (404, "workflow_not_found")
    assert code(post(client, f"/{workflow['id']}/cancel", others)) == (404, "workflow_not_found")
    assert client.get("/v1/workflows", headers=others).json["workflows"] == []
    assert client.get(f"/v1/workflows/{workflow['id']}", headers=mine).status_code == 200
