"""DAWprojects: what the public schema (github.com/bitwig/dawproject, Project.xsd) demands, and what they say."""

from __future__ import annotations

import zipfile
from xml.etree import ElementTree

import pytest

from tests.workers.kinds.export.conftest import NAMES, TITLE, Exported


@pytest.fixture(scope="module")
def project(song: Exported) -> ElementTree.Element:
    with zipfile.ZipFile(song.made.files["dawproject"].path) as archive:
        assert ElementTree.fromstring(archive.read("metadata.xml")).findtext("Title") == TITLE
        return ElementTree.fromstring(archive.read("project.xml"))


def test_every_name_that_is_referred_to_exists_once(project: ElementTree.Element) -> None:
    ids = [each.get("id") for each in project.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for name in ("track", "destination", "parameter"):
        assert {each.get(name) for each in project.iter() if each.get(name)} <= set(ids)


def test_the_parts_are_in_the_order_of_the_schema(project: ElementTree.Element) -> None:
    order = [each.tag for each in project]
    assert order == ["Application", "Transport", "Structure", "Arrangement"]
    arrangement = project.find("Arrangement")
    assert arrangement is not None
    known = ["Lanes", "Markers", "TempoAutomation", "TimeSignatureAutomation"]
    assert [each.tag for each in arrangement] == [each for each in known if arrangement.find(each) is not None]


def test_each_stem_is_a_clip_at_the_begin_with_its_length(project: ElementTree.Element, song: Exported) -> None:
    tracks = project.findall("./Structure/Track")
    assert [track.get("name") for track in tracks] == [*NAMES, "Master"]
    assert [track.get("color") for track in tracks[:2]] == [each["colour"] for each in song.made.facts["tracks"][:2]]
    clips = project.findall(".//Clip")
    assert [clip.get("time") for clip in clips] == ["0"] * len(NAMES)
    assert [float(clip.get("playStop", "")) for clip in clips] == [3.0, 1.5, 3.0, 3.0]
    beats = [float(clip.get("duration", "")) for clip in clips]
    assert beats[0] > beats[1] > 0


def test_the_markers_stand_at_the_sections(project: ElementTree.Element) -> None:
    assert [marker.get("name") for marker in project.findall(".//Marker")] == ["A & <b>", 'B "2"']
