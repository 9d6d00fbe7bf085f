"""Reaper's project: a text of nested blocks (reaper.fm, "State chunk definitions")."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from workers.kinds.export.session import Lane, Session, rgb

SPACE = uuid.UUID("0b7f7ba2-4c55-5d4e-9a6c-6a0a3f1d2c11")  # of our identifiers: the same project gets the same ones
SQUARE = 1  # a tempo holds until the next one
CUSTOM_COLOUR = 0x1000000  # says that a colour is set


def write_rpp(session: Session, media: str = "media") -> str:
    """The project's text. Its files lie in the folder `media` beside it."""
    return "\n".join(_lines(session, media)) + "\n"


def quoted(name: str) -> str:
    """A name as the format has it: in quotation marks that are not in the name. A name on one line is expected."""
    for mark in ('"', "'", "`"):
        if mark not in name:
            return f"{mark}{name}{mark}"
    return "`" + name.replace("`", "'") + "`"


def _lines(session: Session, media: str) -> Iterator[str]:
    tempo = session.tempo
    yield '<REAPER_PROJECT 0.1 "6.0/stemsvc" 0'
    yield f"  TEMPO {tempo.changes[0].bpm:.10f} {tempo.beats_per_bar} 4"
    yield f"  SAMPLERATE {session.rate} 1 0"
    yield "  TIMEMODE 1 5 -1 30 0 0 -1"
    yield from _tempo(session)
    for number, marker in enumerate(session.markers, 1):
        yield f"  MARKER {number} {marker.seconds:.9f} {quoted(marker.name)} 0"
    for number, lane in enumerate(session.lanes):
        yield from _track(session, lane, number, media)
    yield ">"


def _tempo(session: Session) -> Iterator[str]:
    tempo = session.tempo.split(session.tempo.pickup)
    yield "  <TEMPOENVEX"
    yield f"    EGUID {_identifier(session, 'tempo')}"
    yield "    ACT 1 -1"
    yield "    VIS 1 0 1"
    metres = dict(tempo.metres)
    for change in tempo.changes:
        metre = metres.get(int(change.beat)) if change.beat == int(change.beat) else None
        signature = f" {0x40000 + metre} 0 1" if metre else ""  # the denominator 4 in the upper half
        yield f"    PT {change.seconds:.12f} {change.bpm:.10f} {SQUARE}{signature}"
    yield "  >"


def _track(session: Session, lane: Lane, number: int, media: str) -> Iterator[str]:
    red, green, blue = rgb(lane.colour)
    yield f"  <TRACK {_identifier(session, f'track {number}')}"
    yield f"    NAME {quoted(lane.name)}"
    yield f"    PEAKCOL {CUSTOM_COLOUR | blue << 16 | green << 8 | red}"
    yield "    VOLPAN 1 0 -1 -1 1"
    yield "    MUTESOLO 0 0 0"
    yield "    NCHAN 2"
    yield f"    TRACKID {_identifier(session, f'track {number}')}"
    yield "    MAINSEND 1 0"
    yield "    <ITEM"
    yield "      POSITION 0"
    yield f"      LENGTH {lane.media.seconds:.12f}"
    yield "      LOOP 0"
    yield "      FADEIN 0 0 0 0 0 0 0"
    yield "      FADEOUT 0 0 0 0 0 0 0"
    yield f"      NAME {quoted(lane.name)}"
    yield "      VOLPAN 1 0 1 -1"
    yield f"      IGUID {_identifier(session, f'item {number}')}"
    yield "      <SOURCE WAVE"
    yield f"        FILE {quoted(f'{media}/{lane.file}')}"
    yield "      >"
    yield "    >"
    yield "  >"


def _identifier(session: Session, what: str) -> str:
    return "{" + str(uuid.uuid5(SPACE, f"{session.title}/{what}")).upper() + "}"
