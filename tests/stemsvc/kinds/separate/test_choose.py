"""Which model a job gets that names none: by quality, by stems, by what can be served."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest

from stemsvc.errors import BadOptions, ModelUnserved, UnknownPreset, UnknownStem
from stemsvc.jobs.spec import Envelope, JobSpec
from stemsvc.kinds.separate import stems as outputs
from stemsvc.kinds.separate.choose import has, presets_now
from stemsvc.kinds.separate.kind import KIND, SeparateParams
from stemsvc.kinds.separate.options import SeparationOptions
from stemsvc.kinds.specify import ASKED, specify
from stemsvc.models.catalog import Catalog, load_catalog

CATALOG = load_catalog()
NAMES = CATALOG.names
ROFORMERS = "mel_roformer_kim bs_roformer_6s bs_roformer_viperx"
# a RoFormer of vocals, a model that tells voices apart and one against reverb, as `stemsvc models add` writes them
ADDED = """
models:
  roformer:
    summary: s
    family: bs_roformer
    stems: [vocals, other]
    rest: other
    sample_rate: 44100
    segment_seconds: 8
    cost: 2
    licence: mine
    files: [{path: x.safetensors}]
    config: {model: {dim: 64, depth: 1, stereo: true}, audio: {chunk_size: 352800},
             training: {instruments: [vocals, other], target_instrument: vocals}, inference: {num_overlap: 4}}
  voices: {summary: s, family: htdemucs, stems: [lead, backing, band], sample_rate: 44100, segment_seconds: 8,
           licence: mine, files: [{path: y.safetensors}]}
  dry: {summary: s, family: htdemucs, stems: [noreverb, reverb], sample_rate: 44100, segment_seconds: 8,
        licence: mine, files: [{path: z.safetensors}]}
"""


def without(*names: str, catalog: Catalog = CATALOG) -> Catalog:
    return catalog.aware_of(lambda device: dict.fromkeys(names, "no pool serves it"))


def chosen(params: SeparateParams, catalog: Catalog = CATALOG, device: str = "auto") -> SeparateParams:
    return KIND.check(KIND.choose(params, catalog, device), ("source",), catalog)


def own(folder: Path, text: str) -> Catalog:
    path = folder / "catalog.yaml"
    path.write_text(text)
    return load_catalog(path)


@pytest.mark.parametrize(
    ("quality", "stems", "gone", "model", "made"),
    [
        ("fast", "", "", "htdemucs", "drums bass other vocals"),
        ("fast", "vocals guitar", "", "htdemucs_6s", "vocals guitar"),
        ("balanced", "minus_piano", "", "htdemucs_6s", "minus_piano"),
        ("best", "", "", "roformer_ft", "vocals drums bass other"),
        ("best", "", "roformer_ft", "htdemucs_ft", "drums bass other vocals"),
        ("best", "", "roformer_ft htdemucs_ft", "htdemucs", "drums bass other vocals"),
        ("best", "", "roformer_ft htdemucs_ft htdemucs", "htdemucs_6s", "drums bass other vocals guitar piano"),
        ("vocals", "", "", "mel_roformer_kim", "vocals"),
        ("vocals", "", "mel_roformer_kim", "bs_roformer_6s", "vocals"),
        ("vocals", "", "mel_roformer_kim bs_roformer_6s bs_roformer_viperx", "htdemucs_ft", "vocals"),
        ("vocals", "drums", "bs_roformer_6s", "htdemucs_ft", "drums"),
        ("karaoke", "", "", "mdx_kara_2", "lead minus_lead"),
        ("karaoke", "backing lead", "", "mdx_karaoke", "lead backing"),
        ("karaoke", "", "mdx_kara_2", "mdx_karaoke", "lead minus_lead"),
        ("karaoke", "", "mdx_kara_2 mdx_karaoke", "mel_roformer_kim", "vocals minus_vocals"),
        ("karaoke", "", f"mdx_kara_2 mdx_karaoke {ROFORMERS}", "htdemucs_ft", "vocals minus_vocals"),
        ("karaoke", "", f"mdx_kara_2 mdx_karaoke {ROFORMERS} htdemucs_ft", "htdemucs", "vocals minus_vocals"),
    ],
)
def test_a_quality_is_the_first_model_that_is_served_and_has_the_stems(
    quality: str, stems: str, gone: str, model: str, made: str
) -> None:
    params = chosen(SeparateParams(quality=quality, stems=tuple(stems.split())), without(*gone.split()))

    assert (params.model, params.stems, params.fallback) == (model, tuple(made.split()), "")
    assert params.chosen.startswith(f"quality {quality}: {model}")
    for name in gone.split():
        assert f"not {name}: no pool serves it" in params.chosen


@pytest.mark.parametrize("preset", [each.name for each in CATALOG.presets])
def test_each_preset_is_a_bundled_model_or_chain_or_says_what_is_missing(preset: str) -> None:
    told = {each["name"]: each for each in presets_now(CATALOG)}[preset]

    if told["model"] is None:
        assert preset == "dereverb"
        assert "stemsvc models add" in told["why"]
        assert "noreverb: the catalog has none" in told["why"]
        return
    entry = CATALOG.get(told["model"])
    assert {*told["stems"]} <= {*outputs.names(entry.stems)}
    assert all(file.sha256 for file in entry.files)


def test_every_choice_is_served_and_has_what_is_wanted() -> None:
    """Over many sets of served models: a choice is served, has the outputs, and is passed over by no better option."""
    wanted = ((), ("vocals",), ("guitar",), ("vocals", "no_drums"), ("minus_piano", "bass"))
    by_cost = sorted(CATALOG.entries, key=lambda entry: entry.cost / (1 - entry.overlap))
    draw = random.Random(3)
    few = itertools.chain.from_iterable(itertools.combinations(NAMES, size) for size in range(3))
    for served in (*few, *(draw.sample(NAMES, draw.randrange(3, len(NAMES) + 1)) for _ in range(400)), NAMES):
        catalog = without(*({*NAMES} - {*served}))
        for preset, stems in itertools.product(catalog.presets, wanted):
            fit = [
                entry.name
                for option in preset.options
                for entry in by_cost
                if option.takes(entry) and has(entry, stems)
            ]
            asked = SeparateParams(quality=preset.name, stems=stems)
            others = () if fit or not stems else (name for name in served if has(CATALOG.get(name), stems))
            if not {*fit, *others} & {*served} - ({"demo"} - {*fit}):
                with pytest.raises(ModelUnserved) as caught:
                    chosen(asked, catalog)
                assert all(f"not {name}: no pool serves it" in caught.value.detail for name in fit)
                continue
            params = chosen(asked, catalog)
            if fit:
                assert params.model == next(name for name in fit if name in served)
            else:  # such as the guitar of `vocals`
                assert params.model in served
                assert params.chosen.startswith(f"no model of quality {preset.name} has")
            assert {*params.stems} <= {*outputs.names(catalog.get(params.model).stems)}
            assert {*stems} <= {*params.stems}
        assert {each["name"]: each["model"] in {*served, None} for each in presets_now(catalog)} == dict.fromkeys(
            [preset.name for preset in catalog.presets], True
        )


def test_what_a_job_says_goes_before_what_its_quality_says() -> None:
    assert chosen(SeparateParams(quality="fast")).separation.overlap == 0.1
    assert chosen(SeparateParams(quality="balanced")).separation.overlap == 0.25
    assert chosen(SeparateParams(quality="best"), without("roformer_ft", "htdemucs_ft")).separation.shifts == 2
    asked = SeparationOptions(overlap=0.5, shifts=3, precision="fp32")
    assert chosen(SeparateParams(quality="fast", separation=asked)).separation == asked


def test_a_preset_s_name_as_the_model_is_the_quality() -> None:
    assert chosen(SeparateParams("best")) == chosen(SeparateParams(quality="best"))


def test_added_models_serve_the_presets_that_ask_for_their_stems(tmp_path: Path) -> None:
    catalog = own(tmp_path, ADDED)
    made = {each["name"]: (each["model"], each["stems"]) for each in presets_now(catalog)}

    assert made["vocals"] == ("roformer", ["vocals"])
    assert made["karaoke"] == ("voices", ["lead", "minus_lead"])
    assert made["dereverb"] == ("dry", ["noreverb"])
    assert made["best"][0] == "roformer_ft"
    # a device may make another choice
    gone = {"cpu": dict.fromkeys(["roformer", *ROFORMERS.split()], "no pool serves it on cpu")}
    catalog = catalog.aware_of(lambda device: gone.get(device, {}))
    assert chosen(SeparateParams(quality="vocals"), catalog, "cpu").model == "htdemucs_ft"
    assert chosen(SeparateParams(quality="vocals"), catalog, "cuda").model == "roformer"


def test_stems_alone_choose_the_cheapest_model_that_has_them() -> None:
    params = chosen(SeparateParams(stems=("vocals", "drums", "guitar")))

    assert (params.model, params.stems, params.fallback) == ("htdemucs_6s", ("drums", "vocals", "guitar"), "")
    assert params.chosen == (
        "stems vocals, drums, guitar: htdemucs_6s is the cheapest model that has them, htdemucs lacks guitar"
    )
    with pytest.raises(ModelUnserved, match="not htdemucs_6s: no pool serves it"):
        chosen(SeparateParams(stems=("guitar",)), without("htdemucs_6s", "bs_roformer_6s"))


def test_of_two_models_with_the_stems_the_cheaper_is_taken_and_a_quality_that_has_none_takes_it_too(
    tmp_path: Path,
) -> None:
    same = "summary: s, family: htdemucs, sample_rate: 44100, segment_seconds: 8, licence: m"
    dear, cheap = "stems: [flute, rest], cost: 2", "stems: [flute, oboe], cost: 1"
    entries = (
        f"  {name}: {{{same}, files: [{{path: x.safetensors}}], {more}}}"
        for name, more in (("dear", dear), ("cheap", cheap))
    )
    catalog = own(tmp_path, "\n".join(["models:", *entries]))

    assert chosen(SeparateParams(stems=("flute",)), catalog).model == "cheap"
    assert chosen(SeparateParams(stems=("flute",)), without("cheap", catalog=catalog)).model == "dear"
    params = chosen(SeparateParams(quality="best", stems=("flute",)), catalog)
    assert (params.model, params.chosen.partition(": ")[0]) == ("cheap", "no model of quality best has flute")


def test_a_chain_is_chosen_where_no_single_model_has_the_stems(tmp_path: Path) -> None:
    chain = """  duo:
    summary: the singing by a RoFormer, the guitar of what is left
    family: chain
    steps: [{models: [roformer], take: [vocals]}, {models: [htdemucs_6s], take: [guitar]}]
    rest: band
"""
    catalog = own(tmp_path, ADDED + chain)
    params = chosen(SeparateParams(stems=("vocals", "band", "guitar")), catalog)

    assert (params.model, params.stems) == ("duo", ("vocals", "guitar", "band"))
    assert "duo is the cheapest model that has them, htdemucs lacks band, guitar" in params.chosen
    assert KIND.needs(params, catalog).memory_mb == catalog.get("duo").memory_mb
    # a dearer chain does not go before one model that has them
    assert chosen(SeparateParams(stems=("vocals", "guitar")), catalog).model == "htdemucs_6s"


@pytest.mark.parametrize("quality", ["", "karaoke"])
@pytest.mark.parametrize(
    ("stems", "gone", "model", "made"),
    [
        ("lead drums", "", "mdx_kara_2+htdemucs", "lead by mdx_kara_2; drums by htdemucs"),
        ("lead drums", "htdemucs", "mdx_kara_2+hdemucs_mmi", "lead by mdx_kara_2; drums by hdemucs_mmi"),
        ("drums minus_lead", "", "mdx_kara_2+htdemucs", "drums by htdemucs; minus_lead by mdx_kara_2"),
        ("lead guitar bass", "", "mdx_kara_2+htdemucs_6s", "lead by mdx_kara_2; guitar, bass by htdemucs_6s"),
        # one of a set may be a chain
        (
            "backing lead bass",
            "",
            "mdx_karaoke+htdemucs",
            "backing by kim_vocal_2; lead by mdx_kara_2; bass by htdemucs",
        ),
    ],
)
def test_a_set_of_models_is_chosen_where_no_model_has_all_the_stems(
    quality: str, stems: str, gone: str, model: str, made: str
) -> None:
    catalog = without(*gone.split())
    params = chosen(SeparateParams(quality=quality, stems=tuple(stems.split())), catalog)

    assert params.model == model
    assert {*params.stems} == {*stems.split()}
    assert f"{model} is the cheapest set of models that has: {made}" in params.chosen
    names = model.split("+")
    parts = [catalog.get(name) for name in names]
    assert KIND.cost(params, 60, catalog) == pytest.approx(
        sum(KIND.cost(SeparateParams(n), 60, catalog) for n in names)
    )
    assert KIND.needs(params, catalog).memory_mb == 600 + sum(part.memory_mb - 600 for part in parts)
    assert chosen(SeparateParams(model, stems=params.stems), catalog).stems == params.stems


def test_the_cheapest_of_many_sets_is_chosen(tmp_path: Path) -> None:
    """Against every set there is, over models that are drawn."""
    draw, instruments = random.Random(9), ("flute", "oboe", "harp", "horn", "lute")
    for _ in range(40):
        models = {
            f"m{number}": (draw.sample(instruments, draw.randrange(1, 4)), draw.randrange(1, 30) / 10)
            for number in range(7)
        }
        text = "models:\n" + "\n".join(
            f"  {name}: {{summary: s, family: htdemucs, stems: [{', '.join(has)}, rest_of_{name}], sample_rate: 44100,"
            f" segment_seconds: 8, licence: m, cost: {cost}, files: [{{path: {name}.safetensors}}]}}"
            for name, (has, cost) in models.items()
        )
        wanted = draw.sample(instruments, 4)
        sets = [
            sum(models[name][1] for name in names)
            for size in range(1, 5)
            for names in itertools.combinations(models, size)
            if {*wanted} <= {stem for name in names for stem in models[name][0]}
        ]
        catalog = own(tmp_path, text)
        if not sets:
            with pytest.raises(UnknownStem):
                chosen(SeparateParams(stems=tuple(wanted)), catalog)
            continue
        params = chosen(SeparateParams(stems=tuple(wanted)), catalog)
        assert sum(models[name][1] for name in params.model.split("+")) == pytest.approx(min(sets))
        assert {*params.stems} == {*wanted}


def test_a_set_of_few_is_found_where_the_cheapest_of_its_parts_are_many(tmp_path: Path) -> None:
    models = {"a": 0.1, "b": 0.1, "c": 0.1, "a, b, c": 2.0, "d, e": 2.1, "f": 2.2}
    text = "models:\n" + "\n".join(
        f"  m{number}: {{summary: s, family: htdemucs, stems: [{', '.join(f'x{stem}' for stem in has.split(', '))}],"
        f" sample_rate: 44100, segment_seconds: 8, licence: m, cost: {cost}, files: [{{path: {number}.safetensors}}]}}"
        for number, (has, cost) in enumerate(models.items())
    )

    params = chosen(SeparateParams(stems=("xa", "xb", "xc", "xd", "xe", "xf")), own(tmp_path, text))
    assert {*params.model.split("+")} == {"m3", "m4", "m5"}


def test_a_set_that_can_t_be_had_is_refused_and_says_why() -> None:
    asked = SeparateParams(stems=("lead", "guitar"))

    with pytest.raises(ModelUnserved, match=r"no set of models .* not mdx_kara_2: no pool serves it"):
        chosen(asked, without("mdx_kara_2", "mdx_karaoke"))
    with pytest.raises(ModelUnserved, match="not mdx_kara_2: no pool serves it"):
        chosen(replace(asked, quality="karaoke"), without("mdx_kara_2", "mdx_karaoke"))
    with pytest.raises(UnknownStem):  # sums of the others are one model's
        chosen(SeparateParams(stems=("lead", "no_drums")))
    with pytest.raises(UnknownStem, match="it has 'minus_drums'"):
        chosen(SeparateParams("mdx_kara_2+htdemucs", stems=("lead", "no_drums")))


@pytest.mark.parametrize("stems", [(), ("vocals",), ("no_drums", "bass")])
def test_a_job_that_the_default_model_can_do_is_not_changed(stems: tuple[str, ...]) -> None:
    params = SeparateParams(stems=stems)

    assert KIND.choose(params, without(*NAMES), "auto") is params
    assert not {"quality", "chosen"} & {*KIND.stored(chosen(params))}
    assert "quality" not in KIND.mirrored(chosen(params))


def test_what_can_t_be_asked_for() -> None:
    with pytest.raises(UnknownPreset, match="'great' is not one of fast, balanced, best, vocals, karaoke, dereverb"):
        chosen(SeparateParams(quality="great"))
    with pytest.raises(BadOptions, match="name one of them"):
        chosen(SeparateParams("htdemucs", quality="best"))
    with pytest.raises(UnknownStem):
        chosen(SeparateParams(stems=("vocals", "kazoo")))
    with pytest.raises(UnknownStem):  # a named model is taken at its word
        chosen(SeparateParams("htdemucs", stems=("guitar",)))
    with pytest.raises(ModelUnserved, match="with `stemsvc models add`"):
        chosen(SeparateParams(quality="dereverb"))


def test_the_same_separation_has_one_cache_key_however_its_model_was_named() -> None:
    named = chosen(SeparateParams("htdemucs_ft"))
    by_quality = chosen(SeparateParams(quality="best"), without("roformer_ft"))

    assert KIND.heard(by_quality) == KIND.heard(named)
    assert KIND.cost(by_quality, 60, CATALOG) == KIND.cost(named, 60, CATALOG)
    assert KIND.needs(by_quality, CATALOG) == KIND.needs(named, CATALOG)
    assert KIND.stored(by_quality)["model"] == "htdemucs_ft"


def test_a_copy_of_a_job_keeps_its_model_and_what_was_asked_is_the_same_whatever_it_became() -> None:
    spec = JobSpec("separate", {"quality": "best"}, Envelope())
    first = specify(spec, ("source",), without("roformer_ft"))
    later = specify(spec, ("source",), without("roformer_ft", "htdemucs_ft"))

    assert (first.model, later.model) == ("htdemucs_ft", "htdemucs")
    assert first.more[ASKED] == later.more[ASKED]
    assert specify(first, ("source",), without("htdemucs_ft")) == first
    assert replace(first, more={}) != replace(later, more={})
