"""The catalog: the bundled one, a user's own over it, and its errors by line and key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from stemsvc.errors import FatalError, UsageError
from stemsvc.host.digest import sha256_of
from stemsvc.models.catalog import BUNDLED, load_catalog, lock_path
from stemsvc.models.demucs import DEMUCS
from stemsvc.models.entry import ModelEntry
from stemsvc.models.lock import Locked, read_lock, write_lock
from stemsvc.models.schema import schema

MINE = """# my own
models:
  someone/mine:
    summary: s
    family: hdemucs
    stems: [a, b]
    sample_rate: 44100
    segment_seconds: 5
    licence: mine
    fallback: demo
    files:
      - path: weights/x.safetensors
      - hub: someone/songs
        file: y.safetensors
        revision: main
"""
HASH = "a" * 64


def own(folder: Path, text: str) -> Path:
    path = folder / "catalog.yaml"
    path.write_text(text)
    return path


def test_a_catalog_of_ones_own_adds_and_overrides(tmp_path: Path) -> None:
    demo = yaml.safe_load(BUNDLED.read_text())["models"]["demo"]
    changed = yaml.safe_dump({"demo": {**demo, "summary": "changed", "files": [{"path": "/x.safetensors"}]}})
    catalog = load_catalog(own(tmp_path, MINE + "  " + changed.replace("\n", "\n  ")))

    assert catalog.names[0] == "demo"
    assert catalog.names[-1] == "someone/mine"
    assert catalog.get("demo").summary == "changed"
    assert catalog.get("demo").files[0].path == Path("/x.safetensors")
    mine = catalog.get("someone/mine")
    assert mine.stems == ("a", "b")
    assert mine.files[0].path == tmp_path / "weights" / "x.safetensors"
    assert mine.files[1].address == "someone/songs/y.safetensors@main"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("family: hdemucs", "family: choir", 5, "models.someone/mine.family"),
        ("sample_rate: 44100", "sample_rate: 0", 7, "sample_rate"),
        ("sample_rate: 44100", "sample_rat: 44100", 7, "sample_rat"),
        ("    summary: s\n", "", 3, "summary: Field required"),
        ("someone/mine:", "some one:", 3, "name"),
        ("someone/mine:", "a/b/c:", 3, "name"),
        ("fallback: demo", "fallback: nobody", 10, "'nobody' is no other model"),
        ("fallback: demo", "fallback: someone/mine", 10, "no other model"),
        ("path: weights/x.safetensors", "path: x.pickle", 12, r"files\.0: weights are .safetensors"),
        ("path: weights/x.safetensors", "url: ftp://x/y.th", 12, "url"),
        ("path: weights/x.safetensors", "{path: a.th, url: 'http://x/y.th'}", 12, "exactly one source"),
        ("file: y.safetensors", "file: ../y.safetensors", 13, "within the repository"),
        ("        file: y.safetensors\n", "", 13, "hub and file go together"),
        ("revision: main", "sha256: abc", 15, "sha256"),
        ("revision: main", "size: 0", 15, "size"),
        ("    files:", "    bag_weights: [[1, 1]]\n    files:", 3, "bag_weights has a row for each file"),
        ("    summary: s\n", "    summary: s\n    name: other\n", 5, "the key it stands under"),
        ("    summary: s\n", "    summary: s\n    summary: t\n", 5, "stands here twice"),
        ("summary: s", "summary: [", 6, ""),
        ("    summary: s\n", "    summary: s\n    1: s\n", 5, "1"),
    ],
)
def test_an_error_names_the_line_and_the_key(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in MINE
    with pytest.raises(FatalError, match=rf"catalog\.yaml:{line}: .*{words}") as caught:
        load_catalog(own(tmp_path, MINE.replace(old, new, 1)))

    assert caught.value.code == "bad_catalog"


@pytest.mark.parametrize("text", ["", "3", "models: 3", "models: {a: 3}", "other: {}", "models: {}\nmore: 1", "\x00"])
def test_what_is_no_catalog_at_all(tmp_path: Path, text: str) -> None:
    with pytest.raises(FatalError, match=r"catalog\.yaml") as caught:
        load_catalog(own(tmp_path, text))

    assert caught.value.code == "bad_catalog"


def test_a_catalog_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="can't be read") as caught:
        load_catalog(tmp_path / "none.yaml")

    assert caught.value.code == "bad_catalog"


def test_an_unknown_model_is_told_the_known_ones() -> None:
    with pytest.raises(UsageError, match="demo, htdemucs") as caught:
        load_catalog().get("htdemux")

    assert caught.value.code == "unknown_model"


def test_every_bundled_file_is_pinned_whole() -> None:
    for entry in load_catalog().entries:
        assert entry.size
        for file in entry.files:
            assert file.sha256
            assert file.path is not None or file.url or re.fullmatch("[0-9a-f]{40}", file.revision or "")


def test_the_bundled_hashes_agree_with_what_is_known_here() -> None:
    """The demo's own file, and the eight digits that demucs has in the names of its checkpoints."""
    import demucs

    checkpoints = (Path(demucs.__file__).parent / "remote" / "files.txt").read_text().split()
    seen = 0
    for entry in load_catalog().entries:
        if entry.family not in DEMUCS:
            continue
        for file in entry.files:
            if file.path is not None:
                assert sha256_of(file.path) == file.sha256
            elif file.pickled:
                assert file.filename in checkpoints
                assert file.sha256 is not None
                assert file.filename.endswith(f"-{file.sha256[:8]}.th")
            else:
                assert any(name.startswith(file.filename.removesuffix(".safetensors")) for name in checkpoints)
            seen += 1
    assert seen == 12


def test_bags_are_those_of_upstream() -> None:
    import demucs

    for entry in load_catalog().entries:
        recipe = Path(demucs.__file__).parent / "remote" / f"{entry.name}.yaml"
        if not recipe.exists():
            continue
        bag = yaml.safe_load(recipe.read_text())
        assert [file.filename[:8] for file in entry.files] == bag["models"]
        assert [list(row) for row in entry.bag_weights or []] == bag.get("weights", [])
        assert bag.get("segment") in (None, entry.segment_seconds)


def test_the_schema_is_written_down() -> None:
    written = json.loads(BUNDLED.with_name("catalog.schema.json").read_text())

    assert written == schema()
    assert set(ModelEntry.model_fields) - {"name"} == set(written["$defs"]["ModelEntry"]["properties"])


def test_a_lock_file_fills_in_what_the_catalog_does_not_say(tmp_path: Path) -> None:
    path = own(tmp_path, MINE)
    address = "someone/songs/y.safetensors@main"
    write_lock(lock_path(path), {address: Locked(sha256=HASH, size=5, commit="b" * 40)})

    file = load_catalog(path).get("someone/mine").files[1]

    assert (file.sha256, file.size, file.revision) == (HASH, 5, "b" * 40)
    assert load_catalog(path, locked=False).get("someone/mine").files[1].sha256 is None


def test_the_catalogs_own_hash_goes_before_the_lock(tmp_path: Path) -> None:
    path = own(tmp_path, MINE.replace("revision: main", f"revision: main\n        sha256: {'c' * 64}"))
    write_lock(lock_path(path), {"someone/songs/y.safetensors@main": Locked(sha256=HASH, size=5)})

    assert load_catalog(path).get("someone/mine").files[1].sha256 == "c" * 64


@pytest.mark.parametrize("text", ["", "files: 3", "files: {a: {sha256: x}}", "{"])
def test_a_damaged_lock_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "catalog.lock.yaml"
    path.write_text(text)
    with pytest.raises(FatalError, match=r"catalog\.lock\.yaml") as caught:
        read_lock(path)

    assert caught.value.code == "bad_catalog"


def test_the_default_is_the_best_that_is_served() -> None:
    catalog = load_catalog()

    assert (catalog.default, catalog.fallback) == ("htdemucs", "demo")
    assert catalog.limited_to({"demo", "htdemucs"}) is catalog
    assert catalog.limited_to({"mdx_extra"}) is catalog  # nothing better: the refusal names the usual model
    limited = catalog.limited_to({"demo", "mdx_extra"})
    assert (limited.default, limited.fallback, limited.names) == ("demo", "", catalog.names)
    pinned = load_catalog(default="mdx_extra")
    assert pinned.limited_to({"demo"}) is pinned


PRESET = """presets:
  mine:
    summary: s
    options:
      - model: demo
      - having: [lead]
        families: [bs_roformer]
"""


def test_presets_of_ones_own_are_read_and_replace_ours(tmp_path: Path) -> None:
    catalog = load_catalog(own(tmp_path, PRESET + "  fast: {summary: ours, options: [{model: demo}]}\n"))

    assert [each.name for each in catalog.presets] == [
        "fast",
        "balanced",
        "best",
        "vocals",
        "karaoke",
        "dereverb",
        "mine",
    ]
    assert catalog.preset("fast").summary == "ours"
    assert catalog.limited_to({"demo"}).preset("mine").options[1].words == (
        "a model of the family bs_roformer with the stems lead"
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("model: demo", "model: dmo", 5, "presets.mine.options.0.model: 'dmo' is no model of the catalog"),
        ("summary: s", "summry: s", 3, "presets.mine.summry"),
        ("having: [lead]", "overlap: 0.1", 6, "names a model, or the stems"),
        ("presets:", "qualities:", 0, "the key `models`"),
    ],
)
def test_an_error_in_a_preset_names_its_line_and_key(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    path = own(tmp_path, PRESET.replace(old, new))
    with pytest.raises(FatalError) as caught:
        load_catalog(path)

    assert caught.value.code == "bad_catalog"
    assert words in caught.value.detail
    assert f"{path}:{line}:" in caught.value.detail or not line
