"""Fetches the best audio of one video, from YouTube and the other sites that yt-dlp knows. Checks its length first."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stemsvc.errors import (
    EmptyFile,
    FileTooLarge,
    PlaylistRefused,
    SourceAgeRestricted,
    SourceBroken,
    SourceDenied,
    SourceGeoBlocked,
    SourceLive,
    SourcePrivate,
    SourceRateLimited,
    SourceRemoved,
    SourceUnavailable,
    SourceUnknown,
    StemsvcError,
    TrackTooLong,
)
from stemsvc.jobs.filenames import clean_filename
from workers.sources.protocol import Fetched, Order

# Errors for the messages of yt-dlp 2026.10 and of the sites that it quotes. The first pattern that matches counts.
# Sites reword their messages: one that matches no pattern becomes `source_broken`, and operators see its count rise.
PHRASES: tuple[tuple[type[StemsvcError], str], ...] = (
    (SourceRateLimited, r"rate.?limit|too many requests|HTTP Error 429|try again later|captcha|not a bot"),
    (SourceGeoBlocked, r"in your country|your country|your location|geo.?restrict|geo.?block|region"),
    (SourceAgeRestricted, r"confirm your age|age.?restrict|inappropriate for some users|age.?gate|18\+"),
    (SourcePrivate, r"private|members.?only|join this channel|only available for registered|login|log in|sign in"),
    (SourcePrivate, r"premium|purchase|requires payment|subscri"),
    (SourceLive, r"live event|premieres? in|will begin|is offline|not currently live|live stream"),
    (
        SourceRemoved,
        r"removed|deleted|terminated|no longer available|unavailable|does not exist|HTTP Error 4(04|10)",
    ),
    (SourceDenied, r"HTTP Error 40[13]|forbidden|DRM"),
    (FileTooLarge, r"larger than max-filesize"),
)
DETAILS: dict[type[StemsvcError], str] = {
    SourceRateLimited: "the site asks us to come back later",
    SourceGeoBlocked: "the site does not offer this where the service runs",
    SourceAgeRestricted: "the site shows this to adults only; the operator can give cookies of an account",
    SourcePrivate: "this is private or for members only; the operator can give cookies of an account",
    SourceLive: "this is a live stream; come back when it is over",
    SourceRemoved: "this is no longer on the site",
    SourceDenied: "the site refuses us",
    SourceBroken: "yt-dlp could not get this; a newer version of yt-dlp may",
}
AWAY = r"timed out|timeout|connection (reset|refused|aborted)|HTTP Error 5\d\d|IncompleteRead|unreachable"
LIVE = ("is_live", "is_upcoming", "post_live")
OnProgress = Callable[[int, int | None], None]


def knows(url: str) -> bool:
    """Whether yt-dlp has an extractor for this site, not only the generic one for any page."""
    from yt_dlp.extractor import gen_extractor_classes

    return any(each.suitable(url) and each.IE_NAME != "generic" for each in gen_extractor_classes())


def fetch_video(order: Order, on_progress: OnProgress) -> Fetched:
    """The best audio of the one video behind a URL.

    Raises `UsageError` `playlist_refused`, `track_too_long`, `file_too_large` and the codes of `DETAILS`;
    `TransientError` `source_rate_limited`, `source_unavailable`.
    """
    import yt_dlp

    with yt_dlp.YoutubeDL(_options(order, on_progress)) as downloader:
        try:
            info = downloader.extract_info(order.url, download=False)
            check_video(info, order)
            done = downloader.process_ie_result(info, download=True)
        except yt_dlp.utils.YoutubeDLError as error:
            raise translated(error) from error
    return _result(done, order)


def _options(order: Order, on_progress: OnProgress) -> dict[str, Any]:
    def hook(status: dict[str, Any]) -> None:
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        done = int(status.get("downloaded_bytes") or 0)
        if done > order.max_bytes:
            raise FileTooLarge(f"the file has more than {order.max_bytes} bytes")
        on_progress(done, int(total) if total else None)

    options: dict[str, Any] = {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "logger": _Silent(),
        "progress_hooks": [hook],
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlist_items": "1:2",
        # one file of sound: merging or repairing several would need ffmpeg, whose connections pass no guard
        "format": "bestaudio/best",
        "fixup": "never",
        "hls_prefer_native": True,
        "ffmpeg_location": order.folder,
        "outtmpl": {"default": f"{order.folder}/video.%(ext)s"},
        "max_filesize": order.max_bytes,
        "cachedir": False,
        "proxy": order.proxy,
        "enable_file_urls": False,
        "geo_bypass": False,
        "socket_timeout": 20,
        "retries": 3,
        "fragment_retries": 3,
        "extractor_retries": 2,
        "updatetime": False,
    }
    if order.cookies:  # a copy, because yt-dlp writes back the cookies that sites set
        options["cookiefile"] = shutil.copy(order.cookies, f"{order.folder}/cookies.txt")
    return options


def check_video(info: dict[str, Any] | None, order: Order) -> None:
    """Refuse, before a byte of sound is fetched, what the site says is not one track, too long or too large."""
    if not info:
        raise SourceBroken(DETAILS[SourceBroken])
    if info.get("_type", "video") != "video":
        raise PlaylistRefused("this is a playlist or a channel; name one track of it")
    if info.get("live_status") in LIVE or info.get("is_live"):
        raise SourceLive(DETAILS[SourceLive])
    seconds = info.get("duration")
    if seconds and seconds > order.max_seconds:
        detail = f"the track plays {seconds:.0f} s; at most {order.max_seconds:.0f} s are accepted"
        raise TrackTooLong(detail)
    size = info.get("filesize") or info.get("filesize_approx")
    if size and size > order.max_bytes:
        raise FileTooLarge(f"the file has {size} bytes; at most {order.max_bytes} are accepted")


def translated(error: BaseException) -> StemsvcError:
    """Our error for an exception of yt-dlp."""
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, StemsvcError):
            return cause
    if any(isinstance(cause, UnsupportedError) for cause in causes):
        return SourceUnknown("there is no audio at this address that we know how to get")
    if any(isinstance(cause, GeoRestrictedError) for cause in causes):
        return SourceGeoBlocked(DETAILS[SourceGeoBlocked])
    text = re.sub(r"https?://\S+", "", " ".join(str(cause) for cause in causes))
    for kind, phrase in PHRASES:
        if re.search(phrase, text, re.IGNORECASE):
            return kind(DETAILS.get(kind, "the file is larger than the limit"))
    if re.search(AWAY, text, re.IGNORECASE):
        return SourceUnavailable("the site does not answer")
    return SourceBroken(DETAILS[SourceBroken])


def _causes(error: BaseException | None) -> list[BaseException]:
    """The exception and all its causes, also those that yt-dlp keeps in its own fields."""
    found: list[BaseException] = []
    ahead = [error]
    while ahead:
        each = ahead.pop(0)
        if each is None or each in found:
            continue
        found.append(each)
        inside = getattr(each, "exc_info", None)
        ahead += [inside[1]] if inside else []
        ahead += getattr(each, "unexpected_errors", [])
        ahead += [getattr(each, "cause", None), each.__cause__, each.__context__]
    return found


def _result(info: dict[str, Any] | None, order: Order) -> Fetched:
    downloads = (info or {}).get("requested_downloads") or []
    path = Path(downloads[0]["filepath"]) if len(downloads) == 1 else None
    if info is None or path is None or path.parent != Path(order.folder) or not path.is_file():
        raise FileTooLarge(f"the file has more than {order.max_bytes} bytes")
    if path.stat().st_size == 0:
        raise EmptyFile("the file at this address is empty")
    name = clean_filename(f"{info.get('title') or 'track'}{path.suffix}".replace("/", "_"))
    return Fetched(str(path), name, float(info["duration"]) if info.get("duration") else None)


class _Silent:
    """Drops yt-dlp's messages; its exceptions tell what matters."""

    def debug(self, message: str) -> None:
        """Drop the message."""

    warning = error = info = debug
