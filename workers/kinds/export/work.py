"""The work of the kind `export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from stemsvc.errors import BadOptions
from stemsvc.jobs.filenames import without_ending
from stemsvc.kinds.export.kind import (
    ANALYSIS,
    ARCHIVE,
    ARDOUR,
    DAWPROJECT,
    MIXTURE,
    REAPER,
    SAMPLES,
    SOURCE,
    STEM_MP4,
    ZIP,
    ExportParams,
)
from workers.audio.decode_process import decode_apart
from workers.audio.find_tempo import find_tempo
from workers.audio.mono import listen
from workers.audio.rate import resample_track
from workers.audio.tags import NONE, Tags
from workers.audio.tempo_map import steady
from workers.audio.track import FRAME_BYTES, Track
from workers.host.scratch import check_room
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile
from workers.kinds.export.analysis import Timing, read_analysis
from workers.kinds.export.archive import Archive, write_archive
from workers.kinds.export.ardour import write_session
from workers.kinds.export.dawproject import AUDIO, write_metadata, write_project
from workers.kinds.export.media import depth, write_media
from workers.kinds.export.reaper import write_rpp
from workers.kinds.export.samples import Pack, write_pack
from workers.kinds.export.session import Lane, Session, colours, file_names, tidy
from workers.kinds.export.stem_mp4 import AAC_RATES, STEMS, Stem, write_stem_mp4

ZIPPED = "application/zip"
TYPES = {STEM_MP4: "audio/mp4", DAWPROJECT: "application/vnd.bitwig.dawproject+zip"}


@dataclass(frozen=True)
class Material:
    """What the exports are made of. `bits` are those of each lane's file; `mixture` is the song, if it came.

    `inputs` are all of the job's files, as they came.
    """

    session: Session
    timing: Timing
    bits: Mapping[str, str]
    mixture: Track | None
    inputs: Sequence[LocalInput]
    folder: Path
    tick: Callable[[], None]


def export(params: ExportParams, inputs: Sequence[LocalInput], attempt: Attempt) -> Made:
    """Make each of the targets. Raises what decoder and encoder raise, `bad_options`, and `scratch_full`."""
    sources = [each for each in inputs if each.role == SOURCE]
    tracks = [_decoded(each, number, attempt) for number, each in enumerate(sources)]
    mixture = next((_decoded(each, len(tracks), attempt) for each in inputs if each.role == MIXTURE), None)
    if not any(track.frames for track in tracks):
        raise BadOptions("none of the tracks has a sample: there is nothing to export")
    seconds = max(track.seconds for track in tracks)
    with attempt.computing(seconds):
        timing = _timing(params, inputs, tracks, attempt)
        material = _material(params, inputs, tracks, mixture, timing, attempt)
        made: dict[str, MadeFile] = {}
        for number, target in enumerate(params.targets):
            tick = partial(attempt.report, "exporting", number, len(params.targets))
            tick()
            made[target] = MAKERS[target](params, replace(material, tick=tick), attempt)
    session = material.session
    facts = {
        "title": session.title,
        "tracks": [
            {"name": lane.name, "colour": lane.colour, "file": lane.file, "bits": material.bits[lane.file]}
            for lane in session.lanes
        ],
        "bpm": round(timing.tempo.bpm, 3) if params.timed else None,
        "time_signature": f"{timing.tempo.beats_per_bar}/4" if params.timed else None,
        "key": timing.key or None,
        "markers": len(timing.markers),
        "duration_seconds": seconds,
    }
    return Made(made, tracks[0].facts, facts, named=True)


def _decoded(each: LocalInput, number: int, attempt: Attempt) -> Track:
    tick = partial(attempt.report, "decoding")
    track = decode_apart(each.path, attempt.folder / f"decoded-{number}.f32", attempt.limits, tick)
    for warning in track.warnings:
        attempt.warn(warning.code, f"{each.name}: {warning.detail}")
    return track


def _timing(params: ExportParams, inputs: Sequence[LocalInput], tracks: Sequence[Track], attempt: Attempt) -> Timing:
    """Tempo, markers and key: asked for, of an analysis, or found; a guess where no target has bars."""
    came = next((each for each in inputs if each.role == ANALYSIS), None)
    timing = read_analysis(came.path) if came else None
    if params.bpm is not None:
        return replace(timing or Timing(steady()), tempo=steady(params.bpm), told=True)
    if timing is None and params.timed:
        tick = partial(attempt.report, "counting")
        sounds = [listen(track, attempt.folder / f"mono-{at}.f32", tick) for at, track in enumerate(tracks)]
        tempo, beats = find_tempo(sounds, partial(attempt.report, "counting"))
        for sound in sounds:
            sound.path.unlink()
        return Timing(tempo, told=bool(beats.beats))
    return timing or Timing(steady(), told=False)


def _material(
    params: ExportParams,
    inputs: Sequence[LocalInput],
    tracks: Sequence[Track],
    mixture: Track | None,
    timing: Timing,
    attempt: Attempt,
) -> Material:
    """Write each track's file, and put the session together."""
    tick = partial(attempt.report, "writing")
    sources = [each for each in inputs if each.role == SOURCE]
    needed = 2 * FRAME_BYTES * sum(track.frames for track in tracks) * (1 + len(params.targets)) // 2
    check_room(attempt.folder, needed + attempt.limits.min_free_bytes)
    names = [tidy(name) for name in params.names or [each.output or without_ending(each.name) for each in sources]]
    files, hues = file_names(names), colours(names, params.colours)
    bits = {file: depth(track, tick) for file, track in zip(files, tracks, strict=True)}
    lanes = []
    for name, hue, file, track in zip(names, hues, files, tracks, strict=True):
        media = write_media(track, attempt.folder / file, bits[file], tick)
        lanes.append(Lane(name, hue, file, track, media))
    song = next((each for each in inputs if each.role == MIXTURE), None)
    tagged = mixture.tags.title if mixture else ""
    title = tidy(params.title or tagged or without_ending((song or sources[0]).name))
    session = Session(title, tuple(lanes), timing.tempo, timing.markers)
    return Material(session, timing, bits, mixture, inputs, attempt.folder, tick)


def _archive(params: ExportParams, material: Material, attempt: Attempt) -> MadeFile:
    path = material.folder / "archive.zip"
    with Archive(path, material.tick) as archive:
        write_archive(material.session, material.inputs, archive)
    return MadeFile(path, ZIPPED, {"stem": "archive", "files": len(material.inputs)})


def _reaper(params: ExportParams, material: Material, attempt: Attempt) -> MadeFile:
    session, path = material.session, material.folder / "reaper.zip"
    with Archive(path, material.tick) as archive:
        archive.write(f"{session.folder}/{session.folder}.rpp", write_rpp(session))
        for lane in session.lanes:
            archive.add(f"{session.folder}/media/{lane.file}", lane.media.path)
    return MadeFile(path, ZIPPED, {"stem": "Reaper"})


def _ardour(params: ExportParams, material: Material, attempt: Attempt) -> MadeFile:
    """Ardour wants all sound at the session's rate: the others are converted."""
    session, path = material.session, material.folder / "ardour.zip"
    lanes = tuple(_at_rate(lane, session.rate, material) for lane in session.lanes)
    session = replace(session, lanes=lanes)
    with Archive(path, material.tick) as archive:
        archive.write(f"{session.folder}/{session.folder}.ardour", write_session(session))
        for name in ("analysis", "dead", "export", "peaks"):
            archive.folder(f"{session.folder}/{name}")
        for lane in session.lanes:
            archive.add(f"{session.folder}/interchange/{session.folder}/audiofiles/{lane.file}", lane.media.path)
    return MadeFile(path, ZIPPED, {"stem": "Ardour"})


def _at_rate(lane: Lane, rate: int, material: Material) -> Lane:
    if lane.media.rate == rate:
        return lane
    track = resample_track(lane.track, rate, material.folder / f"{lane.file}.f32", material.tick)
    media = write_media(track, material.folder / f"{rate} {lane.file}", "float32", material.tick)
    return replace(lane, track=track, media=media)


def _dawproject(params: ExportParams, material: Material, attempt: Attempt) -> MadeFile:
    session, path = material.session, material.folder / "project.dawproject"
    with Archive(path, material.tick) as archive:
        archive.write("project.xml", write_project(session))
        archive.write("metadata.xml", write_metadata(session))
        for lane in session.lanes:
            archive.add(f"{AUDIO}/{lane.file}", lane.media.path)
    return MadeFile(path, TYPES[DAWPROJECT], {"stem": "DAWproject"})


def _zip(params: ExportParams, material: Material, attempt: Attempt) -> MadeFile:
    path = material.folder / "stems.zip"
    with Archive(path, material.tick) as archive:
        for lane in material.session.lanes:
            archive.add(lane.file, lane.media.path)
    return MadeFile(path, ZIPPED, {"stem": "stems"})


def _samples(params: ExportParams, material: Material, attempt: Attempt) -> MadeFile:
    path = material.folder / "samples.zip"
    with Archive(path, material.tick) as archive:
        key = material.timing.short_key
        pack = Pack(material.session, key, params.bars, material.bits, material.folder)
        count = write_pack(pack, archive, material.tick)
    return MadeFile(path, ZIPPED, {"stem": "samples", "samples": count})


def _stem_mp4(params: ExportParams, material: Material, attempt: Attempt) -> MadeFile:
    """Four stems: fewer are filled up with silence, of more the last ones are summed."""
    session, path = material.session, material.folder / "song.stem.mp4"
    rate = session.rate
    if params.codec == "aac" and rate not in AAC_RATES:
        rate = 48_000
    folder, tick = material.folder, material.tick
    tracks = [resample_track(lane.track, rate, folder / f"mp4 {lane.file}.f32", tick) for lane in session.lanes]
    mixture = material.mixture and resample_track(material.mixture, rate, folder / "mixture.f32", tick)
    heard = list(zip(session.lanes, tracks, strict=True))
    alone = heard if len(heard) <= STEMS else heard[: STEMS - 1]
    stems = [Stem(lane.name, lane.colour, (track,)) for lane, track in alone]
    if rest := heard[len(stems) :]:
        stems.append(
            Stem(" + ".join(lane.name for lane, _ in rest)[:100], rest[0][0].colour, tuple(t for _, t in rest))
        )
    while len(stems) < STEMS:
        stems.append(Stem(f"Stem {len(stems) + 1}", "#999999", ()))
    exact = all(bits == "16" for bits in material.bits.values()) and rate == session.rate and len(heard) <= STEMS
    bits = "16" if exact and material.mixture is not None else "24"
    tags = _tags(material)
    written = write_stem_mp4(path, mixture, stems, params.codec, bits, tags, material.timing.key, material.tick)
    facts = {"stem": "mix.stem", "codec": params.codec, "sample_rate": written.rate, "clipped_samples": written.clipped}
    return MadeFile(path, TYPES[STEM_MP4], facts)


def _tags(material: Material) -> Tags:
    """Those of the song, with the tempo if it is known."""
    tags = (material.mixture.tags if material.mixture else NONE).titled(material.session.title)
    if not material.timing.told:
        return tags
    rest = {name: value for name, value in tags.fields.items() if name.lower() not in ("tmpo", "bpm", "tbpm")}
    return replace(tags, fields={**rest, "tmpo": str(round(material.timing.tempo.bpm))})  # an atom of whole numbers


MAKERS: dict[str, Callable[[ExportParams, Material, Attempt], MadeFile]] = {
    STEM_MP4: _stem_mp4,
    REAPER: _reaper,
    ARDOUR: _ardour,
    DAWPROJECT: _dawproject,
    ZIP: _zip,
    SAMPLES: _samples,
    ARCHIVE: _archive,
}
