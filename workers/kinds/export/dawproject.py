"""DAWproject 1.0 (github.com/bitwig/dawproject, MIT): a zip of two XML files and the audio."""

from __future__ import annotations

from xml.etree import ElementTree  # nosec B405 - it only writes

import stemsvc
from workers.kinds.export.session import Lane, Session

AUDIO = "audio"  # the folder of the sound within the zip


def write_project(session: Session) -> str:
    """`project.xml`. Times are in beats of a quarter note; sound keeps its own time, in seconds."""
    tempo = session.tempo
    root = ElementTree.Element("Project", version="1.0")
    ElementTree.SubElement(root, "Application", name="stemsvc", version=getattr(stemsvc, "__version__", "1"))
    transport = ElementTree.SubElement(root, "Transport")
    first = _number(tempo.changes[0].bpm)
    ElementTree.SubElement(transport, "Tempo", id="tempo", name="Tempo", unit="bpm", value=first, min="1", max="999")
    metre = {"numerator": str(tempo.beats_per_bar), "denominator": "4"}
    ElementTree.SubElement(transport, "TimeSignature", metre, id="metre", name="Time signature")
    structure = ElementTree.SubElement(root, "Structure")
    for number, lane in enumerate(session.lanes):
        _track(structure, lane, number)
    _master(structure)
    arrangement = ElementTree.SubElement(root, "Arrangement", id="arrangement")
    lanes = ElementTree.SubElement(arrangement, "Lanes", id="lanes", timeUnit="beats")
    for number, lane in enumerate(session.lanes):
        _clip(lanes, session, lane, number)
    _markers(arrangement, session)
    _automation(arrangement, session)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def write_metadata(session: Session) -> str:
    """`metadata.xml`."""
    root = ElementTree.Element("MetaData")
    ElementTree.SubElement(root, "Title").text = session.title
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _track(structure: ElementTree.Element, lane: Lane, number: int) -> None:
    about = {"contentType": "audio", "loaded": "true", "id": f"track{number}", "name": lane.name, "color": lane.colour}
    track = ElementTree.SubElement(structure, "Track", about)
    channel = ElementTree.SubElement(
        track, "Channel", audioChannels="2", destination="master", role="regular", solo="false", id=f"channel{number}"
    )
    ElementTree.SubElement(channel, "Mute", value="false", id=f"mute{number}", name="Mute")
    pan = {"min": "0", "max": "1", "unit": "normalized", "value": "0.5"}
    ElementTree.SubElement(channel, "Pan", pan, id=f"pan{number}", name="Pan")
    volume = {"min": "0", "max": "2", "unit": "linear", "value": "1"}
    ElementTree.SubElement(channel, "Volume", volume, id=f"volume{number}", name="Volume")


def _master(structure: ElementTree.Element) -> None:
    track = ElementTree.SubElement(
        structure, "Track", contentType="audio", loaded="true", id="mastertrack", name="Master"
    )
    channel = ElementTree.SubElement(track, "Channel", audioChannels="2", role="master", solo="false", id="master")
    volume = {"min": "0", "max": "2", "unit": "linear", "value": "1"}
    ElementTree.SubElement(channel, "Volume", volume, id="mastervolume", name="Volume")


def _clip(lanes: ElementTree.Element, session: Session, lane: Lane, number: int) -> None:
    media = lane.media
    own = ElementTree.SubElement(lanes, "Lanes", track=f"track{number}", id=f"lane{number}")
    clips = ElementTree.SubElement(own, "Clips", id=f"clips{number}")
    about = {
        "time": "0",
        "duration": _number(session.tempo.beat_at(media.seconds)),
        "contentTimeUnit": "seconds",
        "playStart": "0",
        "playStop": _number(media.seconds),
        "name": lane.name,
        "color": lane.colour,
    }
    clip = ElementTree.SubElement(clips, "Clip", about)
    sound = {
        "channels": str(media.channels),
        "sampleRate": str(media.rate),
        "duration": _number(media.seconds),
        "id": f"audio{number}",
    }
    audio = ElementTree.SubElement(clip, "Audio", sound)
    ElementTree.SubElement(audio, "File", path=f"{AUDIO}/{lane.file}")


def _markers(arrangement: ElementTree.Element, session: Session) -> None:
    if not session.markers:  # the schema wants at least one where there is the element
        return
    markers = ElementTree.SubElement(arrangement, "Markers", id="markers", timeUnit="beats")
    for marker in session.markers:
        ElementTree.SubElement(markers, "Marker", time=_number(session.tempo.beat_at(marker.seconds)), name=marker.name)


def _automation(arrangement: ElementTree.Element, session: Session) -> None:
    tempo = session.tempo
    if len(tempo.changes) > 1:
        points = ElementTree.SubElement(arrangement, "TempoAutomation", id="tempi", timeUnit="beats", unit="bpm")
        ElementTree.SubElement(points, "Target", parameter="tempo")
        for change in tempo.changes:
            point = {"time": _number(change.beat), "value": _number(change.bpm), "interpolation": "hold"}
            ElementTree.SubElement(points, "RealPoint", point)
    if tempo.pickup:
        points = ElementTree.SubElement(arrangement, "TimeSignatureAutomation", id="metres", timeUnit="beats")
        ElementTree.SubElement(points, "Target", parameter="metre")
        for beat, beats in tempo.metres:
            point = {"time": str(beat), "numerator": str(beats), "denominator": "4"}
            ElementTree.SubElement(points, "TimeSignaturePoint", point)


def _number(value: float) -> str:
    return f"{value:.12g}"
