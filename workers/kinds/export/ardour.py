"""Ardour's session, as version 7 writes it (format 7002); Ardour 7 and 8 read it.

Ardour has no published schema. What is here was held against sessions that Ardour 7.3 writes, and is loaded and
exported by it in `tests/workers/kinds/export/test_ardour.py`, where it is installed.
"""

from __future__ import annotations

from itertools import count
from xml.etree import ElementTree  # nosec B405 - it only writes

from workers.kinds.export.session import Lane, Session, rgb

FORMAT = "7002"
SUPERCLOCKS = 282_240_000  # a second
TICKS = 1920  # of a quarter note
Element = ElementTree.Element


def write_session(session: Session) -> str:
    """The text of `<name>.ardour`. Sound lies in `interchange/<name>/audiofiles`, all at the session's rate."""
    return _Writer(session).write()


class _Writer:
    """Hands out the identifiers: each object has one, and others name it by that."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids = count(1)

    def write(self) -> str:
        session = self._session
        root = ElementTree.Element("Session", {"version": FORMAT, "name": session.folder})
        root.set("sample-rate", str(session.rate))
        ElementTree.SubElement(root, "ProgramVersion", {"created-with": "stemsvc", "modified-with": "stemsvc"})
        config = ElementTree.SubElement(root, "Config")
        for name, value in (("native-file-data-format", "FormatFloat"), ("native-file-header-format", "WAVE")):
            ElementTree.SubElement(config, "Option", name=name, value=value)
        ElementTree.SubElement(root, "Metadata")
        sources, regions = ElementTree.SubElement(root, "Sources"), ElementTree.SubElement(root, "Regions")
        self._locations(root)
        ElementTree.SubElement(root, "Bundles")
        ElementTree.SubElement(root, "VCAManager")
        routes = ElementTree.SubElement(root, "Routes")
        playlists = ElementTree.SubElement(root, "Playlists")
        for name in ("UnusedPlaylists", "RouteGroups"):
            ElementTree.SubElement(root, name)
        self._master(routes)
        for number, lane in enumerate(session.lanes, 1):
            self._lane(lane, number, sources, regions, routes, playlists)
        self._tempo(root)
        root.set("id-counter", str(next(self._ids)))
        ElementTree.indent(root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"

    def _id(self) -> str:
        return str(next(self._ids))

    def _locations(self, root: Element) -> None:
        locations = ElementTree.SubElement(root, "Locations")
        whole = {"name": "session", "start": "a0", "end": f"a{round(self._session.seconds * SUPERCLOCKS)}"}
        self._location(locations, {**whole, "flags": "IsSessionRange"})
        for marker in self._session.markers:
            at = f"a{round(marker.seconds * SUPERCLOCKS)}"
            self._location(locations, {"name": marker.name, "start": at, "end": at, "flags": "IsMark"})

    def _location(self, locations: Element, about: dict[str, str]) -> None:
        ElementTree.SubElement(locations, "Location", {"id": self._id(), **about, "locked": "0"})

    def _master(self, routes: Element) -> None:
        route = self._route(routes, "Master", 0, "MasterOut,OrderSet", 0)
        self._io(route, "Master", "Input", {})
        outs = {channel: [f"system:playback_{channel}"] for channel in (1, 2)}
        self._io(route, "Master", "Output", outs)
        self._processors(route, "Master")

    def _lane(
        self, lane: Lane, number: int, sources: Element, regions: Element, routes: Element, playlists: Element
    ) -> None:
        media, name = lane.media, f"{number:02d} {lane.name}"  # Ardour's tracks have names of their own
        held = []
        for channel in range(media.channels):
            held.append(self._id())
            about = {"name": lane.file, "take-id": "", "type": "audio", "flags": "", "id": held[-1]}
            ElementTree.SubElement(sources, "Source", {**about, "channel": str(channel), "origin": ""})
        held = (held * 2)[:2]  # a mono file plays on both sides: Ardour's panner would make it 3 dB softer
        self._region(regions, lane, held, whole=True)
        red, green, blue = rgb(lane.colour)
        colour = red << 24 | green << 16 | blue << 8 | 255
        route = self._route(routes, name, number, "AudioTrack,OrderSet", colour)
        playlist = self._id()
        route.set("audio-playlist", playlist)
        route.set("mode", "Normal")
        self._io(route, name, "Input", {})
        outs = {channel: [f"Master/audio_in {channel}"] for channel in (1, 2)}
        self._io(route, name, "Output", outs)
        self._processors(route, name)
        about = {"id": playlist, "name": f"{name}.1", "type": "audio", "orig-track-id": route.get("id", "")}
        place = ElementTree.SubElement(playlists, "Playlist", {**about, "frozen": "0", "combine-ops": "0"})
        self._region(place, lane, held, whole=False)

    def _region(self, parent: Element, lane: Lane, sources: list[str], *, whole: bool) -> None:
        length = round(lane.media.frames * SUPERCLOCKS / lane.media.rate)
        about = {
            "name": lane.name,
            "type": "audio",
            "id": self._id(),
            "start": "a0",
            "length": f"a{length}@a0",
            "position": "a0",
            "whole-file": str(int(whole)),
            "channels": str(len(sources)),
            "scale-amplitude": "1",
            "opaque": "1",
            "muted": "0",
            "fade-in-active": "0",  # a session that is only opened plays what the stems are, to the sample
            "fade-out-active": "0",
            "default-fade-in": "0",
            "default-fade-out": "0",
            "envelope-active": "0",
        }
        for at, source in enumerate(sources):
            about |= {f"source-{at}": source, f"master-source-{at}": source}
        ElementTree.SubElement(parent, "Region", about)

    def _route(self, routes: Element, name: str, order: int, flags: str, colour: int) -> Element:
        about = {"version": FORMAT, "id": self._id(), "name": name, "default-type": "audio", "strict-io": "1"}
        route = ElementTree.SubElement(routes, "Route", {**about, "active": "1"})
        ElementTree.SubElement(route, "PresentationInfo", {"order": str(order), "flags": flags, "color": str(colour)})
        return route

    def _processors(self, route: Element, name: str) -> None:
        """A fader at unity and the way out. Ardour adds what else a route has."""
        amp = {"id": self._id(), "name": "Amp", "active": "1", "type": "amp"}
        fader = ElementTree.SubElement(route, "Processor", amp)
        gain = {"name": "gaincontrol", "id": self._id(), "flags": "GainLike", "value": "1"}
        ElementTree.SubElement(fader, "Controllable", gain)
        about = {"id": self._id(), "name": name, "active": "1", "type": "main-outs", "role": "Main"}
        outs = ElementTree.SubElement(
            route, "Processor", {**about, "own-input": "1", "own-output": "0", "output": name}
        )
        ElementTree.SubElement(outs, "PannerShell", {"bypassed": "0", "user-panner": "", "linked-to-route": "1"})

    def _io(self, route: Element, name: str, way: str, outs: dict[int, list[str]]) -> None:
        about = {"name": name, "id": self._id(), "direction": way, "default-type": "audio"}
        io = ElementTree.SubElement(route, "IO", about)
        port = "audio_in" if way == "Input" else "audio_out"
        for channel in (1, 2):
            one = ElementTree.SubElement(io, "Port", {"type": "audio", "name": f"{name}/{port} {channel}"})
            for other in outs.get(channel, ()):
                ElementTree.SubElement(one, "Connection", other=other)

    def _tempo(self, root: Element) -> None:
        tempo = self._session.tempo
        place = ElementTree.SubElement(root, "TempoMap", {"superclocks-per-second": str(SUPERCLOCKS)})
        tempi, metres = ElementTree.SubElement(place, "Tempos"), ElementTree.SubElement(place, "Meters")
        for change in tempo.changes:
            rate = f"{change.bpm:.12g}"
            about = {"npm": rate, "enpm": rate, "note-type": "4", "type": "Tempo::Constant", "active": "1"}
            about |= {"locked-to-meter": "0", "continuing": "0", "omega": "0"}
            ElementTree.SubElement(tempi, "Tempo", {**about, **self._moment(change.beat)})
        for beat, beats in tempo.metres:
            about = {"note-value": "4", "divisions-per-bar": str(beats)}
            ElementTree.SubElement(metres, "Meter", {**about, **self._moment(float(beat))})
        ElementTree.SubElement(place, "MusicTimes")

    def _moment(self, beat: float) -> dict[str, str]:
        """A time in each of Ardour's three ways to count."""
        tempo = self._session.tempo
        seconds = tempo.seconds_at(beat)
        bar, rest = (0, beat) if beat < tempo.pickup else divmod(beat - tempo.pickup, tempo.beats_per_bar)
        bar += 1 + (1 if tempo.pickup and beat >= tempo.pickup else 0)
        whole = int(rest)
        ticks = round((rest - whole) * TICKS)
        return {
            "sclock": str(round(seconds * SUPERCLOCKS)),
            "quarters": f"{int(beat)}:{round((beat - int(beat)) * TICKS)}",
            "bbt": f"{int(bar)}|{whole + 1}|{ticks}",
        }
