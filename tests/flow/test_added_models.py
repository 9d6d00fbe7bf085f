"""A checkpoint with MSST's YAML, and UVR's networks, are added by command and separate by HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import stemsvc.demo
from stemsvc.cli.main import main
from stemsvc.demo.measure import read_sound
from tests.flow.conftest import Service
from tests.stemsvc.models import test_add_demucs
from tests.stemsvc.models.test_add import published
from tests.stemsvc.models.test_add_uvr import said, write_vr
from tests.workers.engine.families.uvr import VRS, write_mdx

SONG = Path(stemsvc.demo.__file__).parent / "song" / "mixture.flac"
CHAIN = """  vocals_first:
    summary: vocals by one, the rest by another
    family: chain
    steps:
      - models: [tiny]
        take: [vocals]
      - models: {demo: 1}
        take: [drums, bass, other]
"""


@pytest.fixture
def models() -> tuple[str, ...]:
    return ("tiny", "vocals_first", "net", "masks", "trained")


@pytest.fixture
def backing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    catalog, cache = tmp_path / "models.yaml", tmp_path / "cache"
    monkeypatch.setenv("STEMSVC_CACHE_DIR", str(cache))
    weights, text = published(tmp_path, "bs_roformer of one target")
    arguments = [str(weights), "--config", str(text), "--name", "tiny", "--catalog", str(catalog)]
    added = CliRunner().invoke(main, ["models", "add", *arguments])
    assert added.exit_code == 0, added.output
    (tmp_path / "demucs").mkdir()
    weights, text = test_add_demucs.published(tmp_path / "demucs", "htdemucs", instruments=("vocals",))
    arguments = [str(weights), "--config", str(text), "--name", "trained", "--catalog", str(catalog)]
    added = CliRunner().invoke(main, ["models", "add", *arguments])
    assert added.exit_code == 0, added.output
    graph = said(mdx_n_fft_scale_set=2048, primary_stem="Vocals", compensate=1.035)
    masks = said(**{name: VRS["four bands"][name] for name in ("vr_model_param", "primary_stem", "window_size")})
    for place, facts in (
        (write_mdx(tmp_path / "net.onnx"), graph),
        (write_vr(tmp_path / "masks.pth", "four bands"), masks),
    ):
        added = CliRunner().invoke(main, ["models", "add", str(place), *facts, "--catalog", str(catalog)])
        assert added.exit_code == 0, added.output
    with catalog.open("a") as file:
        file.write(CHAIN)
    pools = "tiny:cpu,vocals_first:cpu,net:cpu,masks:cpu,trained:cpu"
    return {"STEMSVC_CATALOG": str(catalog), "STEMSVC_CACHE_DIR": str(cache), "STEMSVC_POOLS": pools}


@pytest.mark.long
def test_an_added_model_separates_by_http(running: Service, tmp_path: Path) -> None:
    client = running.client
    done = client.finished(client.submit(SONG, model="tiny", end=4, format="wav", bit_depth="float32").id, timeout=300)
    assert set(done.files) == {"vocals", "other"}
    song = read_sound(SONG)[0][: 4 * 44100]
    vocals, other = (read_sound(client.save(done, stem, tmp_path))[0] for stem in ("vocals", "other"))
    assert abs(vocals + other - song).max() < 1e-6

    chained = client.finished(client.submit(SONG, model="vocals_first", end=4).id, timeout=300)
    assert set(chained.files) == {"vocals", "drums", "bass", "other"}

    several = client.finished(
        client.submit(SONG, model="tiny+demo", stems="vocals,drums", end=4, format="wav", bit_depth="float32").id,
        timeout=300,
    )
    assert (several.model, set(several.files)) == ("tiny+demo", {"vocals", "drums"})
    (tmp_path / "several").mkdir()
    assert (read_sound(client.save(several, "vocals", tmp_path / "several"))[0] == vocals).all()

    for model in ("net", "masks", "trained"):
        done = client.finished(
            client.submit(SONG, model=model, end=4, format="wav", bit_depth="float32").id, timeout=300
        )
        assert set(done.files) == {"vocals", "instrumental"}
        (tmp_path / model).mkdir()
        sounds = {stem: read_sound(client.save(done, stem, tmp_path / model))[0] for stem in done.files}
        assert all(len(sound) == len(song) for sound in sounds.values())
        if model != "masks":
            assert abs(sounds["vocals"] + sounds["instrumental"] - song).max() < 1e-6
