"""`/`, and the page of error codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.views import pages
from stemsvc.errors import TABLE
from tests.api.views.test_keys import make

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize("accept", [BROWSER, "text/html"])
def test_a_browser_is_sent_to_the_docs_where_there_is_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app_with: Callable[..., Any], accept: str
) -> None:
    monkeypatch.setattr(pages, "DIST", tmp_path)
    client = app_with()
    answer = client.get("/", headers={"Accept": accept})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/docs/")
    assert answer.vary.find("accept") >= 0
    assert client.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
def test_a_program_gets_links_that_work(client: Any, accept: str) -> None:
    answer = client.get("/", headers={"Accept": accept})

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    for name, url in answer.json["links"].items():
        assert url.startswith("http://localhost/"), name
        assert client.get(url).status_code == 200, name
    assert client.head("/").status_code == 200


def test_it_needs_no_key_and_tells_of_no_job(client: Any, parts: Any) -> None:
    make(parts)
    assert client.get("/v1/jobs").status_code == 401
    assert client.get("/").status_code == 200


def test_a_problem_s_type_leads_to_its_code_s_chapter(client: Any, app_with: Any) -> None:
    problem = client.get("/v1/jobs/none").json
    page, _, anchor = problem["type"].partition("#")

    assert anchor == problem["code"] == "job_not_found"
    assert page == "http://localhost/docs/errors"
    text = client.get(page).text
    assert [code for code in TABLE if f'<section id="{code}">' not in text] == []
    assert "There is no such job, or it is another key&#39;s." in text

    named = app_with(docs_url="https://docs.example/music/").get("/v1/jobs/none").json
    assert named["type"] == "https://docs.example/music/errors/#job_not_found"
    public = app_with(public_url="https://stems.example/").get("/v1/jobs/none").json
    assert public["type"] == "https://stems.example/docs/errors#job_not_found"
