"""Tracks from addresses, by the real child process and the real yt-dlp, from a server of this test's own."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stemsvc.control.guard import Guard
from stemsvc.errors import (
    FetchDied,
    NotAudio,
    SourceRateLimited,
    SourceUnavailable,
    StemsvcError,
    TransientError,
    UsageError,
)
from tests.sounds import tone, write_sound
from workers.sources import direct, ytdlp
from workers.sources.fetch import fetch
from workers.sources.protocol import Fetched, Order, read, write

Handle = Callable[[BaseHTTPRequestHandler], None]


def _nothing(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


class Site(ThreadingHTTPServer):
    """A site whose pages a test writes."""

    daemon_threads = True

    def __init__(self) -> None:
        self.pages: dict[str, Handle] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                site.asked.append(path)
                with contextlib.suppress(OSError):  # the client went away
                    site.pages.get(path, _nothing)(self)

            do_HEAD = do_GET  # noqa: N815 - http.server's name

            def log_message(self, *arguments: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def serve(self, path: str, body: bytes, kind: str = "audio/flac", status: int = 200, **headers: str) -> str:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", headers.pop("length", str(len(body))))
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            if handler.command == "GET":
                handler.wfile.write(body)

        self.pages[path] = answer
        return self.url(path)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield site
        site.shutdown()


@pytest.fixture
def song(tmp_path: Path) -> bytes:
    return write_sound(tmp_path / "song.flac", tone(1.0, 44100), 44100).read_bytes()


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / "scratch").mkdir()
    return Order("", str(tmp_path / "scratch"), 1_000_000, 60.0, "127.0.0.0/8")


def ask(order: Order, url: str, **changes: Any) -> Fetched:
    return fetch(replace(order, url=url, **changes), lambda done, total: None)


def refusal(order: Order, url: str, **changes: Any) -> StemsvcError:
    with pytest.raises(StemsvcError) as caught:
        ask(order, url, **changes)
    return caught.value


def test_a_link_to_a_file_is_fetched_byte_for_byte(site: Site, song: bytes, order: Order) -> None:
    fetched = ask(order, site.serve("/music/My%20Song.flac", song))

    assert Path(fetched.path).read_bytes() == song
    assert fetched.name == "My Song.flac"


def test_a_server_may_name_the_file(site: Site, song: bytes, order: Order) -> None:
    url = site.serve("/get", song, Content_Disposition="attachment; filename*=UTF-8''../..%2Fevil%E2%80%AE.flac")
    assert ask(order, url).name == "evil.flac"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('attachment; filename="a; b.mp3"', "a; b.mp3"),
        (r'attachment; filename="say \"hi\".mp3"', "say _hi_.mp3"),
        ("attachment; filename*=UTF-8''na%C3%AFve%20%3B.mp3", "naïve ;.mp3"),
        ("attachment; filename=\"EURO.mp3\"; filename*=utf-8''%e2%82%ac.mp3", "€.mp3"),
        ("attachment; filename*=utf-8''%e2%82%ac.mp3; filename=EURO.mp3", "€.mp3"),
        ("attachment; filename*=iso-8859-1'en'%A3%20rates.mp3", "£ rates.mp3"),
        ("attachment; filename*=klingon''q.mp3", "q.mp3"),
        ("attachment; filename*0*=UTF-8''foo-%c3%a4; filename*1=\".mp3\"", "foo-ä.mp3"),
        ('attachment; filename="=?UTF-8?B?w6TDtsO8Lm1wMw==?="', "äöü.mp3"),
        ('attachment; filename="=?UTF-8?X?broken?="', "=_UTF-8_X_broken_="),
        ('attachment; filename="caf\xe9.mp3"', "café.mp3"),
        ('attachment; name="filename=evil.mp3"; filename="good.mp3"', "good.mp3"),
        (r'attachment; filename="C:\music\song.mp3"', "song.mp3"),
        ('inline; FILENAME = "../../x.mp3"; size=1', "x.mp3"),
        ("attachment;filename=foo bar.mp3", "foo bar.mp3"),
        ('attachment; filename=""', "get"),
        ("attachment", "get"),
        ('";;=\\', "get"),
    ],
)
@pytest.mark.long
def test_a_host_names_its_file_by_the_rules(site: Site, order: Order, value: str, name: str) -> None:
    url = site.serve("/get", b"\0", Content_Disposition=value)
    guard = Guard(order.allowed_networks)
    fetched = direct.fetch_direct(replace(order, url=url), guard, lambda done, total: None)
    assert fetched is not None
    assert fetched.name == name


@pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=utf-8", "application/json", "", "image/png"])
@pytest.mark.long
def test_audio_is_known_by_its_first_bytes(site: Site, song: bytes, order: Order, kind: str) -> None:
    assert Path(ask(order, site.serve("/song", song, kind)).path).read_bytes() == song


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"Dear stemsvc", "text/plain", "source_is_text"),
        (b"\xff\xfeD\0e\0a\0r\0", "text/plain", "source_is_text"),
        (b'{"error": "gone"}', "", "source_is_text"),
        (b" <!-- x --><!DOCTYPE html><p>hello", "audio/mpeg", "source_is_text"),
        (b"\xef\xbb\xbf<html><p>hello", "application/octet-stream", "source_unknown"),
    ],
)
@pytest.mark.long
def test_text_is_no_audio_whatever_its_host_calls_it(
    site: Site, order: Order, body: bytes, kind: str, code: str
) -> None:
    assert refusal(order, site.serve("/x", body, kind)).code == code


def test_a_playlist_that_is_served_as_text_is_one(site: Site, song: bytes, order: Order) -> None:
    site.serve("/0.ts", song, "video/mp2t")
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/0.ts\n#EXT-X-ENDLIST\n"
    assert Path(ask(order, site.serve("/list.m3u8", text.encode(), "text/plain")).path).read_bytes() == song


def test_redirects_are_followed_and_each_is_looked_at(site: Site, song: bytes, order: Order) -> None:
    site.serve("/song.flac", song)
    good = site.serve("/a", b"", status=302, Location="/song.flac")
    bad = site.serve("/b", b"", status=302, Location="http://169.254.169.254/latest/meta-data/")
    loop = site.serve("/c", b"", status=302, Location="/c")
    other = site.serve("/d", b"", status=302, Location="file:///etc/passwd")

    assert Path(ask(order, good).path).read_bytes() == song
    assert refusal(order, bad).code == "url_refused"
    assert refusal(order, loop).code == "too_many_redirects"
    assert refusal(order, other).code == "bad_url"


def test_what_is_too_large_is_refused_before_or_while_it_comes(site: Site, order: Order) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "audio/wav")
        handler.end_headers()
        while True:
            handler.wfile.write(b"\0" * 65536)

    site.pages["/endless"] = endless
    announced = site.serve("/large", b"x", length="2000000")

    assert refusal(order, announced).code == "file_too_large"
    assert refusal(order, site.url("/endless")).code == "file_too_large"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, UsageError, "source_denied"),
        (403, UsageError, "source_denied"),
        (404, UsageError, "source_removed"),
        (410, UsageError, "source_removed"),
        (451, UsageError, "source_geo_blocked"),
        (418, UsageError, "source_refused"),
        (429, TransientError, "source_rate_limited"),
        (503, TransientError, "source_unavailable"),
    ],
)
def test_each_answer_has_its_code(site: Site, order: Order, status: int, kind: type, code: str) -> None:
    error = refusal(order, site.serve("/x", b"no", status=status, Retry_After="7"))
    assert (isinstance(error, kind), error.code) == (True, code)


def test_a_connection_that_breaks_may_be_tried_again(site: Site, song: bytes, order: Order) -> None:
    error = refusal(order, site.serve("/short", song[:100], length=str(len(song))))
    assert isinstance(error, SourceUnavailable)


def test_a_page_with_a_song_in_it_gives_the_song(site: Site, song: bytes, order: Order) -> None:
    site.serve("/song.flac", song)
    page = f'<html><head><title>A Song</title></head><audio src="{site.url("/song.flac")}"></audio></html>'
    fetched = ask(order, site.serve("/page", page.encode(), "text/html"))

    assert Path(fetched.path).read_bytes() == song
    assert fetched.name.startswith("A Song")


def test_a_page_with_nothing_in_it_is_said_so(site: Site, order: Order) -> None:
    page = site.serve("/page", b"<html><body>hello</body></html>", "text/html")
    assert refusal(order, page).code == "source_unknown"
    assert refusal(order, site.serve("/text", b"hello", "text/plain")).code == "source_is_text"


def test_a_page_with_several_songs_is_a_playlist(site: Site, song: bytes, order: Order) -> None:
    for name in ("one", "two"):
        site.serve(f"/{name}.mp3", song, "audio/mpeg")
    page = "".join(f'<video><source src="{site.url(f"/{name}.mp3")}"></video>' for name in ("one", "two"))
    url = site.serve("/page", f"<html><body>{page}</body></html>".encode(), "text/html")
    assert refusal(order, url).code == "playlist_refused"


@pytest.mark.parametrize("inside", ["file:///etc/passwd", "http://169.254.169.254/x.ts", "http://10.0.0.1/x.ts"])
def test_a_playlist_of_segments_can_not_lead_elsewhere(site: Site, order: Order, inside: str) -> None:
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{inside}\n#EXT-X-ENDLIST\n"
    url = site.serve("/list.m3u8", text.encode(), "application/vnd.apple.mpegurl")
    error = refusal(order, url)

    assert error.code in ("url_refused", "source_broken", "source_unavailable", "file_too_large", "source_denied")
    assert not any(b"root:" in path.read_bytes() for path in Path(order.folder).iterdir() if path.is_file())


def test_segments_are_fetched_without_another_program(site: Site, song: bytes, order: Order) -> None:
    site.serve("/0.ts", song[:5000], "video/mp2t")
    site.serve("/1.ts", song[5000:], "video/mp2t")
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/0.ts\n#EXTINF:5,\n/1.ts\n#EXT-X-ENDLIST\n"
    url = site.serve("/list.m3u8", text.encode(), "application/vnd.apple.mpegurl")
    assert Path(ask(order, url).path).read_bytes() == song


def test_the_loopback_is_out_of_reach_by_default(site: Site, song: bytes, order: Order) -> None:
    assert refusal(order, site.serve("/song.flac", song), allowed_networks="").code == "url_refused"
    assert site.asked == []


def test_yt_dlp_is_held_to_the_same_guard(site: Site, order: Order) -> None:
    # given a page whose song lies on another address of the loopback than the one that is allowed
    page = '<html><audio src="http://127.0.0.2:9/song.mp3"></audio></html>'
    url = site.serve("/page", page.encode(), "text/html")
    assert refusal(order, url, allowed_networks="127.0.0.1/32").code == "url_refused"


def test_a_proxy_is_the_only_way_out(site: Site, song: bytes, order: Order) -> None:
    # given a proxy, which is asked for whole URLs, and a host that only it can reach
    site.serve("http://songs.example.org/a.flac", song)
    direct = site.serve("/direct.flac", song)
    proxy = site.url("")

    fetched = ask(order, "http://songs.example.org/a.flac", proxy=proxy, allowed_networks="")
    assert Path(fetched.path).read_bytes() == song
    assert refusal(order, "http://127.0.0.1:1/a", proxy=proxy, allowed_networks="").code == "url_refused"
    site.serve(direct, b"from the proxy")
    assert Path(ask(order, direct, proxy=proxy).path).read_bytes() == b"from the proxy"


def test_what_ends_the_job_ends_the_child(site: Site, order: Order) -> None:
    released = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "audio/wav")
        handler.end_headers()
        handler.wfile.write(b"\0" * 100_000)
        released.wait(30)

    site.pages["/slow"] = slow
    seen: list[int] = []

    def on_progress(done: int, total: int | None) -> None:
        seen.append(done)
        if done:
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetch(replace(order, url=site.url("/slow")), on_progress)
    released.set()
    assert time.monotonic() - start < 20
    assert max(seen) >= 1


def test_the_child_has_none_of_our_secrets(site: Site, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEMSVC_S3_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert ask(order, site.serve("/a.wav", b"RIFF", "audio/wav")).path


def test_a_child_that_dies_is_one_error(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    error = refusal(order, "http://example.org/")
    assert isinstance(error, FetchDied)


MESSAGES = [
    ("source_private", "Private video. Sign in if you've been granted access to this video"),
    ("source_private", "Join this channel to get access to members-only content like this video"),
    ("source_removed", "Video unavailable. This video has been removed by the uploader"),
    ("source_removed", "Video unavailable. This video is no longer available because the account has been terminated"),
    ("source_geo_blocked", "The uploader has not made this video available in your country"),
    ("source_age_restricted", "Sign in to confirm your age. This video may be inappropriate for some users"),
    ("source_live", "This live event will begin in 3 hours"),
    ("source_live", "Premieres in 2 hours"),
    ("source_rate_limited", "Sign in to confirm you’re not a bot"),
    ("source_rate_limited", "This content isn't available, try again later. The current session has been rate-limited"),
    ("source_rate_limited", "Unable to download webpage: HTTP Error 429: Too Many Requests"),
    ("source_denied", "Unable to download webpage: HTTP Error 403: Forbidden"),
    ("source_unavailable", "Unable to download webpage: The read operation timed out"),
    ("source_broken", "Unable to extract initial player response"),
]


@pytest.mark.parametrize(("code", "message"), MESSAGES)
def test_what_sites_say_has_a_code(code: str, message: str) -> None:
    from yt_dlp.utils import DownloadError, ExtractorError

    error = ExtractorError(f"[youtube] abc: {message}", expected=True)
    wrapped = DownloadError(f"ERROR: {message}", exc_info=(type(error), error, None))
    assert ytdlp.translated(wrapped).code == code


def test_the_region_of_a_film_is_no_region_of_ours() -> None:
    from yt_dlp.utils import GeoRestrictedError

    assert ytdlp.translated(GeoRestrictedError("not here")).code == "source_geo_blocked"


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"_type": "playlist", "entries": []}, "playlist_refused"),
        ({"live_status": "is_live"}, "source_live"),
        ({"live_status": "is_upcoming"}, "source_live"),
        ({"duration": 61}, "track_too_long"),
        ({"filesize": 1_000_001}, "file_too_large"),
        ({"filesize_approx": 2_000_000}, "file_too_large"),
        (None, "source_broken"),
    ],
)
def test_length_and_size_are_known_before_the_download(order: Order, info: dict[str, Any] | None, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        ytdlp.check_video(info, order)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "url", ["https://www.youtube.com/watch?v=dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ", "https://soundcloud.com/a/b"]
)
def test_sites_that_yt_dlp_knows_go_to_it(url: str) -> None:
    assert ytdlp.knows(url)
    assert not ytdlp.knows("https://example.org/song.mp3")


@pytest.mark.parametrize(
    "message",
    [Fetched("/a", "b", 1.5), (3, None), (3, 9), NotAudio("b"), SourceRateLimited("b", retry_after=3.0)],
)
def test_a_message_survives_the_pipe(message: Any) -> None:
    back = read(write(message))
    if isinstance(message, StemsvcError):
        assert isinstance(back, StemsvcError)
        assert (type(back), back.code, back.detail) == (type(message), message.code, message.detail)
    else:
        assert back == message


def test_headers_drop_by_drop_end_at_a_deadline(order: Order, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        for letter in itertools.chain(b"HTTP/1.1 200 OK\r\nX-Slow: ", itertools.repeat(120)):
            handler.wfile.write(bytes([letter]))
            time.sleep(0.02)

    site.pages["/drip"] = drip
    monkeypatch.setattr(direct, "OPEN_SECONDS", 0.5)
    slow = replace(order, url=site.url("/drip"))
    begun = time.monotonic()
    with pytest.raises(SourceUnavailable, match="too slow"):
        direct.fetch_direct(slow, Guard("127.0.0.0/8"), lambda done, total: None)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("kind", ["audio/flac", pytest.param("text/html", marks=pytest.mark.long)])
@pytest.mark.long
def test_a_body_drop_by_drop_ends_when_it_is_too_slow(
    order: Order, site: Site, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.end_headers()
        while True:
            handler.wfile.write(b"<" * 100)
            time.sleep(0.05)

    site.pages["/drip"] = drip
    monkeypatch.setattr("workers.sources.fetch.PATIENCE_SECONDS", 3.0)
    error = refusal(order, site.url("/drip"))
    assert (type(error), error.detail) == (SourceUnavailable, "the host sends its track too slowly")
