"""Each alert fires when what it names is broken, after its time, and none does while all is well: by promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rules import BROKEN, BROKEN_AT, HEALTHY, HOURS, Series, written
from tests.programs import need

ALERTS = Path("helm/stemsvc/files/alerts.yaml")
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
}
WINDOW = 60  # minutes; the longest that a rule looks back, or waits beside its `for`


def minutes(text: str) -> int:
    return int(text[:-1]) * {"m": 1, "h": 60}[text[-1]]


def expected(alert: str, labels: dict[str, str]) -> dict[str, Any]:
    """The alert as it is sent."""
    rule = RULES[alert]
    said = {
        name: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": said}


def told(series: Series, questions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"interval": "1m", "input_series": written(series), "alert_rule_test": questions}


def never(series: Series, alerts: list[str]) -> dict[str, Any]:
    return told(series, [{"eval_time": f"{at}m", "alertname": each} for each in alerts for at in (30, HOURS - 20)])


def promtool(folder: Path, *tests: dict[str, Any]) -> None:
    file = folder / "tests.yaml"
    world = {"rule_files": [str(ALERTS.resolve())], "evaluation_interval": "1m", "tests": list(tests)}
    file.write_text(yaml.safe_dump(world))
    done = subprocess.run([need("promtool"), "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules_and_both_configurations(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(ALERTS.read_text())
    for name in ("prometheus.yml", "machine.yml"):
        text = Path("deploy/prometheus", name).read_text().replace("/etc/prometheus/", "")
        (tmp_path / name).write_text(text)
        done = subprocess.run([need("promtool"), "check", "config", tmp_path / name], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"{len(RULES)} rules found" in done.stdout


def test_no_alert_fires_while_all_is_well(tmp_path: Path) -> None:
    promtool(tmp_path, never(HEALTHY, list(RULES)))


def test_what_is_not_scraped_is_missed_by_the_two_alerts_for_it_alone(tmp_path: Path) -> None:
    away = {"StemsvcApiDown", "StemsvcNoDispatcher"}
    promtool(tmp_path, never({'up{job="others"}': f"1x{HOURS}"}, [each for each in RULES if each not in away]))


def test_each_alert_fires_when_what_it_names_is_broken_for_its_time(tmp_path: Path) -> None:
    tests = []
    for alert, changes, labels in BROKEN:
        assert set(changes) <= set(HEALTHY), alert
        waits = minutes(RULES[alert]["for"])
        questions: list[dict[str, Any]] = [
            {"eval_time": f"{BROKEN_AT}m", "alertname": alert},
            {"eval_time": f"{BROKEN_AT + waits - 1}m", "alertname": alert},
            {
                "eval_time": f"{BROKEN_AT + waits + WINDOW}m",
                "alertname": alert,
                "exp_alerts": [expected(alert, labels)],
            },
        ]
        tests.append(told({**HEALTHY, **changes}, questions))
    promtool(tmp_path, *tests)


def test_every_alert_is_tried() -> None:
    assert {alert for alert, *_ in BROKEN} == set(RULES)


@pytest.mark.parametrize("alert", ["StemsvcApiDown", "StemsvcStoreAway", "StemsvcNoFetcher", "StemsvcErrorRate"])
def test_what_clients_notice_is_critical(alert: str) -> None:
    assert RULES[alert]["labels"]["severity"] == "critical"
