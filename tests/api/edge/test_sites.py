"""While no key is asked for: names that are not this machine's, and pages of other sites."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.datastructures import Headers

from api.edge import auth
from api.edge.sites import Sites
from stemsvc.control.services import Services
from stemsvc.errors import CrossSite, UsageError
from tests.api.views.test_jobs import song
from tests.api.views.test_keys import code, make, submit

HERE = [
    "localhost",
    "LOCALHOST:8080",
    "localhost.",
    "127.0.0.1",
    "127.0.0.1:8080",
    "127.9.9.9:1",
    "[::1]",
    "[::1]:8080",
]
FOREIGN = [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
    "0.0.0.0",
]
FOREIGN += ["[::2]", "[", "localhost@evil.example", "a b", "", "127.0.0.1:80@evil.example"]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEEP_SECONDS", -1.0)


def verdict(sites: Sites, method: str = "POST", host: str = "127.0.0.1:8080", **headers: str) -> str:
    try:
        sites.check(method, host, Headers({name.replace("_", "-"): value for name, value in headers.items()}))
    except UsageError as error:
        return error.code
    return "ok"


@pytest.mark.parametrize("host", HERE)
def test_this_machines_names_lead_here(host: str) -> None:
    assert verdict(Sites("127.0.0.1", "", "", ""), host=host) == "ok"


@pytest.mark.parametrize("host", FOREIGN)
def test_another_name_does_not(host: str) -> None:
    assert verdict(Sites("127.0.0.1", "", "", ""), "GET", host) == "host_refused"


def test_the_operators_names_do() -> None:
    sites = Sites("music.internal", "https://Music.example:8443/base", "studio.local, api", "")

    for host in ("music.internal:1", "music.example:8443", "music.example", "studio.local", "API:8080"):
        assert verdict(sites, "DELETE", host) == "ok", host
    assert verdict(sites, "GET", "other.local") == "host_refused"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "ok"),  # curl
        ({"Origin": "http://127.0.0.1:8080"}, "ok"),
        ({"Origin": "https://127.0.0.1:8080"}, "ok"),  # behind a proxy that speaks https
        ({"Origin": "http://127.0.0.1:9999"}, "cross_site"),
        ({"Origin": "http://127.0.0.1"}, "cross_site"),
        ({"Origin": "http://localhost:8080"}, "cross_site"),
        ({"Origin": "https://evil.example"}, "cross_site"),
        ({"Origin": "null"}, "cross_site"),
        ({"Origin": ""}, "cross_site"),
        ({"Origin": "http://127.0.0.1:8080.evil.example"}, "cross_site"),
        ({"Origin": "http://[", "Sec_Fetch_Site": "cross-site"}, "cross_site"),
        ({"Sec_Fetch_Site": "same-origin"}, "ok"),
        ({"Sec_Fetch_Site": "none"}, "ok"),
        ({"Sec_Fetch_Site": "same-site"}, "cross_site"),  # another server of this machine
        ({"Sec_Fetch_Site": "cross-site"}, "cross_site"),
        ({"Sec_Fetch_Site": "", "Origin": "http://127.0.0.1:8080"}, "cross_site"),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://127.0.0.1:8080"}, "cross_site"),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "http://127.0.0.1:8080"}, "ok"),
    ],
)
def test_where_a_browser_says_that_a_request_comes_from(headers: dict[str, str], expected: str) -> None:
    sites = Sites("127.0.0.1", "", "", "https://band.example")

    assert verdict(sites, **headers) == expected
    assert verdict(sites, "GET", **headers) == "ok"  # no page can read its answer


def test_only_our_own_page_calls_with_our_cookie() -> None:
    sites = Sites("0.0.0.0", "https://music.example", "", "https://band.example, *")

    def own(host: str, told: bool = True, method: str = "POST", **headers: str) -> bool:
        named = Headers({name.replace("_", "-"): value for name, value in headers.items()})
        try:
            sites.check_own(method, host, named, told=told)
        except CrossSite:
            return False
        return True

    assert own("192.168.1.5:8080", Origin="http://192.168.1.5:8080")  # by plain http browsers say no more
    assert own("api:8080", Origin="https://music.example")  # behind a proxy that passes another name on
    assert own("a.example", Sec_Fetch_Site="same-origin", Origin="null")
    assert own("a.example", told=False)  # a program that signs in
    assert own("a.example", method="GET")
    assert not own("a.example")
    for origin in ("https://band.example", "null", ""):
        assert not own("a.example", Origin=origin), origin
    assert not own("a.example", Sec_Fetch_Site="same-site", Origin="http://a.example")
    assert not own("a.example", told=False, Origin="https://band.example")


def test_sites_that_the_operator_named_may_call() -> None:
    sites = Sites("127.0.0.1", "https://music.example", "", "https://Band.example/, http://localhost:3000")

    for origin in (
        "https://band.example",
        "http://localhost:3000",
        "https://music.example",
        "https://music.example:443",
    ):
        assert verdict(sites, Origin=origin, Sec_Fetch_Site="cross-site") == "ok", origin
    for origin in ("http://band.example", "http://localhost:3001", "https://band.example.evil.example"):
        assert verdict(sites, Origin=origin) == "cross_site", origin
    assert verdict(Sites("127.0.0.1", "", "", "*"), Origin="https://any.example", Sec_Fetch_Site="cross-site") == "ok"


def test_a_page_whose_name_now_leads_here_reads_and_deletes_nothing(client: Any, parts: Services) -> None:
    job = submit(client, {}).json["id"]
    rebound = {"Host": "evil.example:8080", "Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example:8080"}

    for method, path in (
        ("GET", "/v1/jobs"),
        ("GET", f"/v1/jobs/{job}"),
        ("DELETE", f"/v1/jobs/{job}"),
        ("GET", "/metrics"),
    ):
        assert code(client.open(path, method=method, headers=rebound)) == (403, "host_refused")
    assert code(submit(client, rebound)) == (403, "host_refused")
    assert [each.id for each in parts.store.recent()] == [job]


def test_a_form_of_another_site_makes_no_job(client: Any, parts: Services) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = submit(client, headers)
        assert code(answer) == (403, "cross_site")
        assert client.post("/v1/uploads", headers=headers).status_code == 403
    assert parts.store.recent() == []
    assert submit(client, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}).status_code == 201


def test_a_page_of_a_named_site_sends_a_song_and_uploads_one(app_with: Callable[..., Any]) -> None:
    client = app_with(cors_origins="https://band.example")
    theirs = {"Origin": "https://band.example", "Sec-Fetch-Site": "cross-site"}

    assert submit(client, theirs).headers["Access-Control-Allow-Origin"] == "https://band.example"
    place = client.post("/v1/uploads", headers=theirs).json["url"]
    at = f"{urlsplit(place).path}?{urlsplit(place).query}"
    put = client.put(at, data=b"music", headers={**theirs, "Host": "files.example"})  # its signature is its permission
    assert put.status_code == 200


def test_a_signed_url_and_probes_ask_for_no_name(client: Any, parts: Services) -> None:
    parts.storage.put("jobs/x/stem", io.BytesIO(b"music"), "audio/flac")
    url = parts.storage.signed_url("jobs/x/stem", 60, "stem.flac", "audio/flac")
    elsewhere = {"Host": "10.1.2.3:8080", "Sec-Fetch-Site": "cross-site"}

    with client.get(url, headers=elsewhere) as answer:
        assert answer.data == b"music"
    for path in ("/healthz/live", "/healthz/ready", "/openapi.json"):
        assert client.get(path, headers=elsewhere).status_code == 200


def test_a_key_is_its_own_permission(client: Any, parts: Services) -> None:
    key = make(parts)
    anywhere = {**key, "Host": "music.example", "Origin": "https://band.example", "Sec-Fetch-Site": "cross-site"}

    assert submit(client, anywhere).status_code == 201
    assert code(client.get("/v1/jobs", headers={"Host": "evil.example"})) == (401, "unauthorized")


def test_prometheus_needs_no_key_inside(app_with: Callable[..., Any], client: Any, parts: Services) -> None:
    make(parts)
    assert client.get("/metrics").status_code == 200
    other_machines = app_with(api_host="0.0.0.0")
    assert other_machines.get("/metrics", headers={"Host": "api:8080"}).status_code == 200
    assert code(other_machines.post("/v1/jobs", data={"file": song()})) == (401, "unauthorized")
