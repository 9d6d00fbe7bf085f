"""The inventory of what is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from packaging.markers import Marker

from tests import sbom
from tests.lock import EVERYTHING, normal, read


def test_it_lists_every_package_of_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "made" / "stemsvc.cdx.json"
    monkeypatch.setattr(sys, "argv", ["sbom", str(path)])
    assert sbom.main() == 0

    document = json.loads(path.read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == "stemsvc"
    listed = {normal(each["name"]): each for each in document["components"]}
    for pin in read(Path(EVERYTHING).read_text()):
        if pin.marker and not Marker(pin.marker).evaluate():
            continue  # of another platform
        each = listed[pin.name]
        assert each["version"].partition("+")[0] == pin.version
        assert {of["content"] for of in each["hashes"]} == set(pin.hashes)
        assert {of["alg"] for of in each["hashes"]} == {"SHA-256"}
        assert all(of.get("expression") or of["license"].get("id") or of["license"]["name"] for of in each["licenses"])
        assert each["licenses"], pin.name


def test_what_no_lock_lists_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sbom, "locked", list)
    monkeypatch.setattr(sys, "argv", ["sbom", str(tmp_path / "it.json")])
    assert sbom.main() == 1
    assert "flask" in capsys.readouterr().err.lower()
