"""What the chart tells the Prometheus operator: whom to scrape, and the alerts."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from chart import CHART, REGISTRY, merged, one, pods, render

ON: dict[str, Any] = {"monitoring": {"serviceMonitor": {"enabled": True}, "rules": {"enabled": True}}}
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())


def rendered(more: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return render(merged(merged(REGISTRY, ON), more or {}))


def test_prometheus_scrapes_a_port_without_keys_of_every_pod_of_ours() -> None:
    documents = rendered()
    monitor = one(documents, "ServiceMonitor", "demo-stemsvc")["spec"]
    (service,) = [
        each
        for each in documents
        if each["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
    ]
    assert [endpoint["port"] for endpoint in monitor["endpoints"]] == [
        port["name"] for port in service["spec"]["ports"]
    ]
    target = service["spec"]["ports"][0]["targetPort"]
    settings = one(documents, "ConfigMap", "demo-stemsvc")["data"]
    scraped = set()
    for document, pod in pods(documents):
        labels = document["spec"]["template"]["metadata"]["labels"]
        if not service["spec"]["selector"].items() <= labels.items():
            continue
        (port,) = [port for each in pod["containers"] for port in each.get("ports", []) if port["name"] == target]
        assert str(port["containerPort"]) == settings["STEMSVC_METRICS_PORT"]
        scraped.add(labels["app.kubernetes.io/component"])
    assert {"api", "dispatcher", "fetcher"} < scraped
    assert any(each.startswith("worker-") for each in scraped)


def rules(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (group,) = one(documents, "PrometheusRule", "demo-stemsvc")["spec"]["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def test_the_rules_are_those_of_the_file() -> None:
    assert rules(rendered()) == ALERTS["groups"][0]["rules"]


@pytest.mark.parametrize("docs", ["https://docs.example.org/stemsvc", "https://docs.example.org/stemsvc/"])
def test_alerts_lead_to_where_the_docs_are(docs: str) -> None:
    for rule in rules(rendered({"monitoring": {"rules": {"docsUrl": docs}}})):
        chapter = f"https://docs.example.org/stemsvc/alerts/#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == chapter


def test_who_wants_no_fetcher_is_not_told_that_there_is_none() -> None:
    names = [rule["alert"] for rule in rules(rendered({"fetcher": {"replicas": 0}}))]
    assert set(names) == {rule["alert"] for rule in ALERTS["groups"][0]["rules"]} - {"StemsvcNoFetcher"}


def test_the_ingress_controller_is_believed_about_its_clients() -> None:
    settings = one(
        rendered({"api": {"trustedProxies": ["192.0.2.0/24", "2001:db8::/32"]}}), "ConfigMap", "demo-stemsvc"
    )
    assert settings["data"]["STEMSVC_TRUSTED_PROXIES"] == "192.0.2.0/24,2001:db8::/32"
    nobody = one(rendered({"api": {"trustedProxies": []}}), "ConfigMap", "demo-stemsvc")
    assert "STEMSVC_TRUSTED_PROXIES" not in nobody["data"]
