"""What `helm install` prints: among it, what the Secret lacks that pods wait for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import helm_python as helm
from chart import CHART, REGISTRY, Document, merged


def said(folder: Path, given: Document, secret: Document) -> str:
    """What the notes say of that Secret: Helm asks a cluster for it, so a template beside ours hands one over."""
    copy = folder / "stemsvc"
    shutil.copytree(CHART, copy, ignore=shutil.ignore_patterns("tests"))
    probe = copy / "templates" / "probe.txt"
    probe.write_text(
        f'{{{{ include "stemsvc.secretLacks" (dict "root" . "secret" (fromJson `{json.dumps(secret)}`)) }}}}'
    )
    with helm.Chart.load(str(copy)) as chart:
        made = chart.render(merged(REGISTRY, given), name="demo", namespace="music")
    shutil.rmtree(copy)
    (text,) = [text for path, text in made.items() if path.endswith("probe.txt")]
    return text.strip()


def with_keys(*names: str) -> Document:
    return {"data": dict.fromkeys(names, "eA==")}


def test_a_secret_that_has_all_keys_is_not_spoken_of(tmp_path: Path) -> None:
    inside: Document = {"database": {"internal": True}, "broker": {"internal": True}}
    full = with_keys(
        "s3-access-key-id", "s3-secret-access-key", "postgres-password", "redis-password", "flower-password"
    )
    assert said(tmp_path, inside, full) == ""


def test_each_key_that_is_missing_is_named_as_the_secret_must_have_it(tmp_path: Path) -> None:
    own: Document = {
        "database": {"internal": True},
        "broker": {"internal": True},
        "flower": {"enabled": True},
        "secrets": {"existingSecret": "ours", "keys": {"redis-password": "broker.pass"}},
    }
    text = said(tmp_path, own, with_keys("postgres-password", "redis-password", "s3-access-key-id"))
    assert text.startswith("the Secret ours lacks ")
    assert "s3-secret-access-key, broker.pass, flower-password:" in text


def test_where_there_is_no_secret_it_is_said_what_it_needs(tmp_path: Path) -> None:
    outside: Document = {"database": {"internal": False}, "broker": {"internal": False}}
    text = said(tmp_path, {**outside, "secrets": {"existingSecret": "ours"}}, {})
    assert text.startswith("there is no Secret ours in music: ")
    assert "database-url, broker-url, " in text


def test_the_notes_are_rendered_without_a_cluster(tmp_path: Path) -> None:
    with helm.Chart.load(str(CHART)) as chart:
        made = chart.render(REGISTRY, name="demo", namespace="music")
    notes = [text for path, text in made.items() if path.endswith("NOTES.txt")]
    assert all("WRONG" not in text for text in notes)
