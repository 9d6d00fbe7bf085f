"""The dashboard and the alerts ask for figures that there really are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from stemsvc.control.exposition import Exposition
from stemsvc.jobs.pools import single
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.workers import Worker
from stemsvc.observe import metrics
from stemsvc.observe.metrics import storage_seconds
from stemsvc.settings import Settings
from tests.schema import fresh_schema

FILES = Path("helm/stemsvc/files")
DASHBOARD = json.loads((FILES / "dashboard.json").read_text())
ALERTS = [rule for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
BY_EVERY_SCRAPE = {"instance", "job", "le", "namespace"}
OF_KUBERNETES = {"pod", "container"}  # labels of kube-state-metrics


def questions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$pool", ".*")
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Each series' name with its labels, of a service that has seen everything once."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    fresh_schema(settings.resolved_database_url)
    store = JobStore(settings.resolved_database_url)
    pool = single("demo", "cpu")
    store.workers.beat(Worker("one", (pool.name,), "cpu", "a processor", free_memory_mb=1), 60)
    metrics.job_ended("separate", "demo", "succeeded")
    metrics.processed("separate", "demo", "cpu", 1.0)
    metrics.computed("separate", "demo", "cpu", 1.0, 2.0)
    metrics.spent(0.1, "EUR")
    metrics.retried("storage_unavailable")
    metrics.model_loaded("demo", "cpu", 1.0, 1)
    metrics.answered("GET", "/v1/jobs", 200, 0.1)
    metrics.webhook_tried("delivered")
    metrics.streams_opened(1)
    metrics.swept("janitor", 600.0)
    storage_seconds().labels("put", "ok").observe(0.1)
    text = Exposition(store, [pool]).text().decode()
    store.close()
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:{(.*)})? \S+$", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels))
    return found


@pytest.mark.parametrize(("where", "expression"), list(questions()))
def test_a_question_is_one_and_can_be_answered(where: str, expression: str, figures: dict[str, set[str]]) -> None:
    promql_parser.parse(expression)
    names = set(re.findall(r"\b((?:demucs|stemsvc)_\w+)", expression))
    assert names, where
    assert names <= set(figures)
    labels = set().union(*(figures[name] for name in names)) | BY_EVERY_SCRAPE
    if "kube_" in expression:
        labels |= OF_KUBERNETES
    grouped = {
        label.strip() for group in re.findall(r"(?:by|on)\s*\(([^)]*)\)", expression) for label in group.split(",")
    }
    matched = {
        label for inside in re.findall(r"{([^}]*)}", expression) for label in re.findall(r"(\w+)\s*[=!]", inside)
    }
    assert grouped | matched <= labels, where


def test_every_figure_is_shown_somewhere(figures: dict[str, set[str]]) -> None:
    asked = " ".join(expression for _, expression in questions())
    ours = {
        re.sub(r"_(bucket|count|sum|created)$", "", name) for name in figures if name.startswith(("demucs", "stemsvc"))
    }
    assert {name for name in ours if name not in asked} == set()


def anchors_of(page: str) -> set[str]:
    return {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in Path(page).read_text().splitlines()
        if line.startswith("#")
    }


def test_every_alert_waits_and_has_its_chapter_and_every_chapter_its_alert() -> None:
    for rule in ALERTS:
        assert re.fullmatch(r"[1-9]\d*[mh]", rule["for"]), rule["alert"]
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert anchor == rule["alert"].lower()
        assert anchor in anchors_of(page)
    chapters = re.findall(r"^## (\S+)$", Path("docs/alerts.md").read_text(), re.MULTILINE)
    assert chapters == [rule["alert"] for rule in ALERTS]


def test_every_alert_says_what_to_do() -> None:
    anchors = anchors_of("deploy/README.md")
    for rule in ALERTS:
        notes: dict[str, Any] = rule["annotations"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert len(notes["summary"]) > 20
        for anchor in re.findall(r"deploy/README\.md#([\w-]+)", notes["action"]):
            assert anchor in anchors, rule["alert"]


def test_the_dashboard_is_one() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]
    assert len(places) == len(set(places))
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in DASHBOARD["panels"])
    assert DASHBOARD["templating"]["list"][1]["query"]["query"] == "label_values(demucs_live_slots, pool)"
