"""Models, health, files and the API's description."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.openapi import BY
from stemsvc.settings import Settings
from tests.schema import fresh_schema


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    app = create_app(settings.model_copy(update={"pools": "demo:cpu,htdemucs:cuda"}))
    with app.test_client() as client:
        yield client
    app.extensions["stemsvc"].store.close()


def test_the_models_say_what_can_be_asked_for(client: FlaskClient) -> None:
    models = {model["name"]: model for model in client.get("/v1/models").json["models"]}  # type: ignore[index]

    demucs = ["demo", "htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi", "mdx_extra"]
    uvr = ["kim_vocal_2", "mdx_inst_hq_3", "mdx_kara_2", "mdx_karaoke"]
    msst = ["mel_roformer_kim", "bs_roformer_viperx", "bs_roformer_6s", "mdx23c_instvoc_hq", "scnet_xl"]
    assert list(models) == [*demucs, *uvr, *msst, "roformer_ft"]
    assert models["demo"]["stems"] == ["drums", "bass", "other", "vocals"]
    assert models["htdemucs_6s"]["stems"][4:] == ["guitar", "piano"]
    assert (models["demo"]["default"], models["htdemucs"]["default"]) == (False, True)
    assert (models["demo"]["devices"], models["htdemucs"]["devices"], models["mdx_extra"]["devices"]) == (
        ["cpu"],
        ["cuda"],
        [],
    )


def test_live_answers_always(client: FlaskClient) -> None:
    assert client.get("/healthz/live").json == {"status": "ok", "parts": {}}


def test_ready_without_a_broker_is_degraded_because_jobs_are_accepted_all_the_same(client: FlaskClient) -> None:
    answer = client.get("/healthz/ready")

    assert answer.status_code == 200
    assert answer.json == {
        "status": "degraded",
        "parts": {"store": "ok", "storage": "ok", "broker": "broker_unavailable"},
    }


def test_ready_with_everything_is_ok(settings: Settings, redis_url: str) -> None:
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    app = create_app(settings.model_copy(update={"broker_url": redis_url}))

    assert app.test_client().get("/healthz/ready").json["status"] == "ok"  # type: ignore[index]
    app.extensions["stemsvc"].store.close()


def test_ready_without_a_store_is_503(settings: Settings) -> None:
    app = create_app(settings)
    answer = app.test_client().get("/healthz/ready")

    assert answer.status_code == 503
    assert answer.json["parts"]["store"] == "store_unavailable"  # type: ignore[index]
    app.extensions["stemsvc"].store.close()


def test_the_description_is_openapi_3_1_and_names_every_call(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None

    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/v1/jobs",
        "/v1/jobs:from-source",
        "/v1/separations",
        "/v1/separations:from-source",
        "/v1/generations",
        *(f"/v1/{noun}{by}" for noun in ("analyses", "exports", "masters", "mixes", "transcriptions") for by in BY),
        "/v1/audit",
        "/v1/recipes",
        "/v1/conversations",
        "/v1/conversations/{conversation_id}",
        "/v1/conversations/{conversation_id}/messages",
        "/v1/conversations/{conversation_id}/confirm",
        "/v1/conversations/{conversation_id}/undo",
        "/v1/conversations/{conversation_id}/regenerate",
        "/v1/conversations/{conversation_id}/export",
        "/v1/conversations/{conversation_id}/events",
        "/v1/workers",
        "/v1/workflows",
        "/v1/workflows:plan",
        "/v1/workflows/{workflow_id}/events",
        "/v1/workflows/{workflow_id}",
        "/v1/workflows/{workflow_id}/cancel",
        "/v1/workflows/{workflow_id}/retry",
        "/v1/jobs:batch",
        "/v1/jobs/{job_id}",
        "/v1/jobs/{job_id}/retry",
        "/v1/webhooks/secrets",
        "/v1/webhooks/secrets/{secret_id}",
        "/v1/webhooks/deliveries",
        "/v1/webhooks/deliveries/{delivery_id}",
        "/v1/webhooks/deliveries/{delivery_id}/replay",
        "/v1/webhooks:test",
        "/v1/jobs/{job_id}/cancel",
        "/v1/jobs/{job_id}/events",
        "/v1/jobs/{job_id}/share",
        "/v1/shared/{token}",
        "/v1/events",
        "/v1/session",
        "/v1/keys",
        "/v1/keys/{key_id}",
        "/v1/limits",
        "/v1/failures",
        "/v1/usage/series",
        "/v1/uploads",
        "/v1/uploads/{upload_id}",
        "/v1/usage",
        "/v1/models",
        "/v1/pools",
        "/v1/pools/{name}",
        "/v1/pools/{name}:drain",
        "/v1/pools/{name}:resume",
        "/healthz/live",
        "/healthz/ready",
    }
    for path in ("/v1/jobs", "/v1/separations"):  # generators of clients take one type of a body, JSON if it is there
        bodies = (document["paths"][path + by]["post"]["requestBody"]["content"] for by in ("", ":from-source"))
        assert [list(body) for body in bodies] == [["multipart/form-data"], ["application/json"]]
    form = document["components"]["schemas"]["JobForm"]["properties"]
    assert set(form) == {
        "file",
        "model",
        "device",
        "stems",
        "format",
        "bit_depth",
        "residual",
        "filename_template",
        "metadata",
        "overlap",
        "quality",
        "shifts",
        "seed",
        "segment",
        "precision",
        "sample_rate",
        "cache",
        "priority",
        "webhook_url",
        "webhook_events",
        "start",
        "end",
        "analyze",
        "audio_track",
        "trim_start",
        "channels",
        "tags",
        "title_template",
        "formats",
    }
    assert (form["shifts"]["minimum"], form["shifts"]["maximum"]) == (0, 20)
    assert form["overlap"]["description"].endswith("by default 0.25")
    assert form["file"]["format"] == "binary"


def test_the_docs_page_needs_nothing_from_outside(client: FlaskClient) -> None:
    page = client.get("/docs", follow_redirects=True)

    assert page.status_code == 200
    assert "swagger-ui" in page.text
    assert "https://" not in page.text.replace("https://www.apache.org", "")
    script = client.get("/docs/swagger-ui-bundle.js")
    assert script.status_code == 200
    script.close()


@pytest.mark.parametrize("query", ["", "?expires=x", "?expires=99999999999&filename=a&type=audio/flac&signature=00"])
def test_files_without_a_good_signature_are_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/v1/files/jobs/x/input{query}")

    assert (answer.status_code, answer.json["code"]) == (403, "url_invalid")  # type: ignore[index]
