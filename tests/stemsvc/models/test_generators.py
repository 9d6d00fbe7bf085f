"""Generators of the catalog: pinned from a repository, pulled once their licence is accepted, and never without it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.errors import BadCatalog, UsageError, WeightsMismatch, WeightsNotFound
from stemsvc.models.catalog import load_catalog
from stemsvc.models.generators import GeneratorEntry
from stemsvc.models.repository import chosen, described
from tests.hub import COMMIT, Hub, hub

CONFIG = {
    "model_type": "musicgen",
    "decoder": {"hidden_size": 1024, "num_hidden_layers": 24, "audio_channels": 1},
    "audio_encoder": {"sampling_rate": 32000},
}
FILES = {
    "config.json": json.dumps(CONFIG).encode(),
    "tokenizer.json": b"{}" * 1000,
    "model.safetensors": bytes(range(256)) * 8,
    "pytorch_model.bin": b"a pickle" * 1000,
    "README.md": b"words",
}
LICENCE = "CC-BY-NC-4.0"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import constants

    monkeypatch.setenv("STEMSVC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("STEMSVC_CATALOG", str(tmp_path / "models.yaml"))
    files = {
        f"{name}/{file}": data for name in ("facebook/musicgen-small", "someone/tune") for file, data in FILES.items()
    }
    with hub(files) as each:
        monkeypatch.setattr(constants, "ENDPOINT", each.endpoint)
        template = each.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield each


def models(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def test_the_bundled_ones_have_published_facts_and_no_invented_hash() -> None:
    generators = load_catalog().generators
    assert {"musicgen-small", "musicgen-medium", "musicgen-large", "musicgen-melody"} < {*generators.names}
    assert any(entry.channels == 2 for entry in generators.entries)
    for entry in generators.entries:
        assert entry.hub == f"facebook/{entry.name}"
        assert (entry.licence, entry.forbids_commerce, entry.files) == (LICENCE, True, ())
        assert entry.follows_melody == ("melody" in entry.name)


def test_a_repository_is_pinned_and_pulled_once_its_licence_is_accepted(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.yaml").write_text("presets: {}\nmodels: {}\n")
    added = models("add", "facebook/musicgen-small")
    assert added.exit_code == 0, added.output
    assert not any(
        "/cdn/" in path and method == "GET" and _hash("model.safetensors") in path
        for method, path, _ in served.requests
    )

    entry = load_catalog(tmp_path / "models.yaml").generators.get("musicgen-small")
    assert [(file.filename, file.sha256, file.revision) for file in entry.files] == [
        (name, _hash(name), COMMIT) for name in ("config.json", "tokenizer.json", "model.safetensors")
    ]
    assert (entry.licence, entry.parameters, entry.cost) == (LICENCE, 300_000_000, 29)

    refused = models("pull", "musicgen-small")
    assert refused.exit_code != 0
    assert "licence_not_accepted" in refused.output
    monkeypatch.setenv("STEMSVC_ACCEPT_LICENCES", LICENCE)
    assert models("pull", "musicgen-small").exit_code == 0
    assert models("verify", "musicgen-small").exit_code == 0
    assert models("prune").output.startswith("0 deleted")
    (row,) = [each for each in json.loads(models("list", "--json").output) if each["name"] == "musicgen-small"]
    assert (row["weights"], row["licence"], row["accepted"]) == ("here", LICENCE, True)


def test_any_other_repository_says_what_it_is_and_nobody_said_its_licence(served: Hub, tmp_path: Path) -> None:
    added = models("add", "someone/tune", "--name", "tune")
    assert added.exit_code == 0, added.output
    entry = load_catalog(tmp_path / "models.yaml").generators.get("tune")
    assert (entry.family, entry.channels, entry.licence) == ("musicgen", 1, "unknown")
    assert entry.licence_doubt
    assert entry.cost == pytest.approx(28, abs=1)

    assert models("add", "someone/nothing").exit_code != 0


def test_only_what_a_generator_reads_is_taken_and_never_a_pickle() -> None:
    assert chosen(FILES, "a/b") == ["config.json", "tokenizer.json", "model.safetensors"]
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json")
    cut = dict.fromkeys(("config.json", "tokenizer.json", *shards), b"")
    assert chosen(cut, "a/b") == ["config.json", "tokenizer.json", shards[2], *shards[:2]]
    with pytest.raises(WeightsNotFound):
        chosen({"config.json": b"", "tokenizer.json": b"", "pytorch_model.bin": b""}, "a/b")
    wrong: list[dict[str, Any]] = [{"model_type": "bert"}, {"decoder": {"hidden_size": "big"}}, {"decoder": 7}]
    for bad in ({}, *({**CONFIG, **each} for each in wrong)):
        with pytest.raises(WeightsMismatch):
            described(bad)


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        (LICENCE, True),
        ("cc-by-nc-sa-4.0", True),
        ("CC BY-NC 4.0", True),
        ("MIT", False),
        ("CC-BY-4.0", False),
        ("ENCORE", False),
    ],
)
def test_a_licence_says_whether_it_forbids_commerce(licence: str, forbids: bool) -> None:
    entry = GeneratorEntry(name="a", summary="s", family="musicgen", cost=1, memory_mb=1, licence=licence)
    assert entry.forbids_commerce == forbids


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"family": "bert"}, "family"),
        ({"files": [{"path": "model.safetensors"}]}, "files"),
        ({"files": [{"path": "model.bin"}]}, "files"),
        ({"odd": 1}, "odd"),
    ],
)
def test_a_mistake_is_named_with_its_place(fields: dict[str, Any], words: str, tmp_path: Path) -> None:
    entry = {"summary": "s", "family": "musicgen", "cost": 1, "memory_mb": 1, "licence": "MIT", **fields}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"generators": {"mine": entry}}))
    with pytest.raises(BadCatalog) as caught:
        load_catalog(path)
    assert "generators.mine" in caught.value.detail
    assert words in caught.value.detail


def test_an_unknown_generator_is_told() -> None:
    with pytest.raises(UsageError) as caught:
        load_catalog().generators.get("no")
    assert caught.value.code == "unknown_model"


def _hash(name: str) -> str:
    return hashlib.sha256(FILES[name]).hexdigest()
