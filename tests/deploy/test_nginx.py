"""A real nginx with the shipped files, before the real api and a real S3 server."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from werkzeug.serving import make_server

from api.app import create_app
from api.edge.proxies import TrustedProxies
from stemsvc.accounts.keys import DEFAULT_SCOPES, new_key
from stemsvc.embedded.ports import free_port
from stemsvc.jobstore import JobStore
from stemsvc.settings import Settings
from stemsvc.storage.s3 import S3Storage
from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.processes import plain_environment, wait_for
from tests.programs import need
from tests.schema import fresh_schema

FOLDER = Path("deploy/nginx")
COMPOSE = yaml.safe_load(Path("deploy/compose.yaml").read_text())["services"]
INSIDE = ("/healthz/", "/metrics", "/static/")  # what only the cluster or the machine calls


@dataclass
class Front:
    """nginx's addresses, and what came through it to the api."""

    url: str
    bucket: str
    health: str
    store: JobStore
    seen: list[dict[str, Any]] = field(default_factory=list)

    def heard(self, path: str = "/openapi.json", **headers: str) -> dict[str, Any]:
        """What the api hears of a call with these headers."""
        self.seen.clear()
        httpx.get(self.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        (environ,) = self.seen
        return environ


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, rclone_endpoint: str) -> Iterator[Front]:
    nginx, folder = need("nginx"), tmp_path_factory.mktemp("nginx")
    settings = Settings(
        data_dir=folder / "data",
        broker_url=f"redis://127.0.0.1:{free_port()}/0",
        api_host="0.0.0.0",
        trusted_proxies="127.0.0.0/8",
    )
    settings.data_dir.mkdir()
    fresh_schema(settings.resolved_database_url)
    app = create_app(settings)
    ports = {each: free_port() for each in ("8080", "8333", "127.0.0.1:8081")}
    url, bucket, health = (f"http://127.0.0.1:{port}" for port in ports.values())
    found = Front(url, bucket, health, app.extensions["stemsvc"].store)

    def listening(environ: dict[str, Any], start: Any) -> Any:
        found.seen.append(environ)
        return app.wsgi_app(environ, start)

    server = make_server("127.0.0.1", 0, listening, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    parts = {"http://api:8080": f"http://127.0.0.1:{server.port}", "http://seaweedfs:8333": rclone_endpoint}
    config = copied(
        folder, {**parts, **{f"listen {each};": f"listen 127.0.0.1:{port};" for each, port in ports.items()}}
    )
    process = subprocess.Popen([nginx, "-c", str(config), "-g", "daemon off;"], env=plain_environment())
    try:
        wait_for("nginx", lambda: _listens(found.url))
        yield found
    finally:
        process.terminate()
        process.wait(30)
        server.shutdown()
        serving.join()
        app.extensions["stemsvc"].close()


def copied(folder: Path, changes: dict[str, str]) -> Path:
    """The shipped files in a folder, where nginx finds each other, with other addresses."""
    moved = {"/tmp/": f"{folder}/", "/etc/nginx/conf.d/*.conf": f"{folder}/stemsvc.conf", "/etc/nginx/": f"{folder}/"}
    texts = {**moved, "worker_processes auto": "worker_processes 1", **changes}
    pattern = re.compile("|".join(re.escape(each) for each in texts))
    for name in ("nginx.conf", "proxies.conf", "stemsvc.conf"):
        text = (FOLDER / name).read_text()
        (folder / name).write_text(pattern.sub(lambda found: texts[found[0]], text))
    folder.chmod(0o755)
    return folder / "nginx.conf"


def _listens(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", httpx.URL(url).port or 0)) == 0


def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    command = [need("nginx"), "-t", "-q", "-c", str(copied(tmp_path, {}))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_compose_mounts_what_nginx_reads() -> None:
    mounted = [mount.split(":")[1] for mount in COMPOSE["nginx"]["volumes"]]
    read = re.findall(r"include (/etc/nginx/\S+);", (FOLDER / "nginx.conf").read_text())
    assert "/etc/nginx/nginx.conf" in mounted
    for each in read:
        assert any(Path(mount).match(each) for mount in mounted), each


# --- paths


def test_each_path_of_the_api_is_passed_on_but_for_probes_and_figures(front: Front, tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    paths = {re.sub(r"<[^>]*>", "a", rule.rule) for rule in app.url_map.iter_rules()}
    app.extensions["stemsvc"].close()
    assert {"/metrics", "/healthz/live", "/v1/jobs", "/openapi.json"} <= paths
    page = {"/", "/app", "/app/jobs/1", "/s/token", "/assets/index-1.js", "/sw.js", "/icon-192.png"}
    for path in {*paths, *page, "/manifest.webmanifest"}:
        front.seen.clear()
        httpx.get(front.url + path, timeout=30)
        assert bool(front.seen) != path.startswith(INSIDE), path


def test_events_come_through_as_they_happen(front: Front) -> None:
    key, token = new_key("test", frozenset(DEFAULT_SCOPES))
    front.store.keys.add(key)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"{front.url}/v1/events", headers=headers, timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        song = {"file": ("song.mp3", b"music")}
        made = httpx.post(f"{front.url}/v1/jobs", files=song, headers=headers, timeout=60).json()
        move = next(line for line in lines if line.startswith("data: "))
        assert (made["id"] in move, '"to": "queued"' in move) == (True, True)


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/v1/../metrics", "/app/..//metrics", "/healthz/ready"]
)
def test_what_stays_inside_has_no_other_name(front: Front, path: str) -> None:
    front.seen.clear()
    with socket.create_connection(("127.0.0.1", httpx.URL(front.url).port or 0)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b" 404 " in answer.splitlines()[0]
    assert front.seen == []


def test_compose_finds_nginx_healthy_though_every_call_needs_a_key(front: Front) -> None:
    assert httpx.get(f"{front.url}/v1/jobs").status_code == 401
    asked = httpx.URL(COMPOSE["nginx"]["healthcheck"]["test"][-1])
    assert f"listen {asked.host}:{asked.port};" in (FOLDER / "stemsvc.conf").read_text()
    assert httpx.get(front.health + asked.path).status_code == 200
    assert httpx.get(f"{front.health}/v1/jobs").status_code == 404


# --- who calls, and how


def test_the_api_hears_of_the_client_and_of_the_scheme_that_it_called_by(front: Front) -> None:
    plain = front.heard()
    assert (plain["HTTP_X_FORWARDED_FOR"], plain["HTTP_X_FORWARDED_PROTO"]) == ("127.0.0.1", "http")
    balanced = front.heard(x_forwarded_for="198.51.100.7", x_forwarded_proto="https", host="stems.example.org")
    assert (balanced["HTTP_X_FORWARDED_FOR"], balanced["HTTP_X_FORWARDED_PROTO"]) == ("198.51.100.7", "https")
    assert balanced["HTTP_HOST"] == balanced["HTTP_X_FORWARDED_HOST"] == "stems.example.org"


def test_the_api_takes_the_client_and_its_scheme_for_its_own(front: Front) -> None:
    # the balancer speaks TLS; the app has changed what it heard into what it goes by
    heard = front.heard(x_forwarded_for="6.6.6.6, 198.51.100.7", x_forwarded_proto="https", host="stems.example.org")
    assert (heard["REMOTE_ADDR"], heard["wsgi.url_scheme"]) == ("198.51.100.7", "https")
    headers = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "Host": "stems.example.org"}
    answer = httpx.get(f"{front.url}/openapi.json", headers=headers)
    assert answer.json()["servers"][0]["url"].startswith("https://stems.example.org")


def test_compose_has_the_api_believe_nginx() -> None:
    given = re.fullmatch(r"\${TRUSTED_PROXIES:-(.+)}", COMPOSE["api"]["environment"]["STEMSVC_TRUSTED_PROXIES"])
    assert given
    trusted = TrustedProxies(given[1])
    # of the pools of addresses that Docker gives its networks
    for docker in ("172.18.0.3", "192.168.16.3", "10.5.0.3"):
        assert trusted.trusts(docker)
    assert not trusted.trusts("198.51.100.7")
    assert "ports" not in COMPOSE["api"]  # nobody else calls it


@pytest.mark.parametrize("scheme", ["", "javascript", "https, http", "httpss"])
def test_a_scheme_that_is_none_is_not_passed_on(front: Front, scheme: str) -> None:
    assert front.heard(x_forwarded_for="198.51.100.7", x_forwarded_proto=scheme)["HTTP_X_FORWARDED_PROTO"] == "http"


def test_what_a_client_says_of_itself_is_not_passed_on(front: Front) -> None:
    heard = front.heard(
        x_forwarded_for="10.1.1.1, 203.0.113.9, 198.51.100.7", x_real_ip="6.6.6.6", forwarded="for=6.6.6.6",
        x_forwarded_prefix="/evil", x_forwarded_host="evil.example",
    )  # fmt: skip
    # 198.51.100.7 called the balancer; what stands before it, the client has said
    assert heard["HTTP_X_FORWARDED_FOR"] == heard["HTTP_X_REAL_IP"] == "198.51.100.7"
    assert not {"HTTP_FORWARDED", "HTTP_X_FORWARDED_PREFIX"} & set(heard)
    assert "evil" not in heard["HTTP_X_FORWARDED_HOST"]


def test_both_lists_of_proxies_are_the_same() -> None:
    text = (FOLDER / "proxies.conf").read_text()
    lists = [
        set(re.findall(pattern, text, re.MULTILINE)) for pattern in (r"^set_real_ip_from (\S+);", r"^    (\S+) 1;")
    ]
    assert lists[0] == lists[1]
    assert "127.0.0.0/8" in lists[0]


def test_a_client_of_no_proxy_is_not_believed(tmp_path: Path) -> None:
    """Nobody here has another address than the loopback's, so nginx is told not to trust that one."""
    api, port = make_server("127.0.0.1", 0, _echo, threaded=True), free_port()
    serving = threading.Thread(target=api.serve_forever)
    serving.start()
    changes = {
        "127.0.0.0/8 1;": "", "set_real_ip_from 127.0.0.0/8;": "", "http://api:8080": f"http://127.0.0.1:{api.port}",
        "listen 8080;": f"listen 127.0.0.1:{port};", "listen 8333;": f"listen 127.0.0.1:{free_port()};",
        "listen 127.0.0.1:8081;": f"listen 127.0.0.1:{free_port()};",
    }  # fmt: skip
    process = subprocess.Popen([need("nginx"), "-c", str(copied(tmp_path, changes)), "-g", "daemon off;"])
    try:
        wait_for("nginx", lambda: _listens(f"http://127.0.0.1:{port}"))
        claims = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
        assert httpx.get(f"http://127.0.0.1:{port}/v1/", headers=claims).text == "127.0.0.1 http"
    finally:
        process.terminate()
        process.wait(30)
        api.shutdown()
        serving.join()


def _echo(environ: dict[str, Any], start: Any) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['HTTP_X_FORWARDED_FOR']} {environ['HTTP_X_FORWARDED_PROTO']}".encode()]


# --- signed links


def test_a_signed_link_names_the_host_that_the_operator_named_and_works_through_nginx(
    front: Front, rclone_endpoint: str
) -> None:
    storage = S3Storage("stems", rclone_endpoint, front.bucket, "us-east-1", ACCESS_KEY, SECRET_KEY)
    storage.put("a/stem", BytesIO(b"sound"), "audio/flac")
    link = storage.signed_url("a/stem", 60, "stem.flac", "audio/flac")
    assert link.startswith(front.bucket)
    assert httpx.get(link).content == b"sound"
    assert httpx.get(link.partition("?")[0]).status_code == 403
    assert httpx.get(front.bucket).status_code == 403
    put = storage.signed_put("a/new", 60, 100)
    assert httpx.put(put.url, content=b"abc", headers=put.headers).is_success


def test_no_address_of_one_machine_is_in_a_link_unless_the_operator_gave_it() -> None:
    environment = COMPOSE["api"]["environment"]
    public = environment["STEMSVC_S3_PUBLIC_ENDPOINT_URL"]
    assert "127.0.0.1" not in public
    assert "${PUBLIC_HOST:?" in public
    published = [
        port.partition(":")[2] if "}" not in port else port.rpartition(":")[2] for port in COMPOSE["nginx"]["ports"]
    ]
    assert published == ["8080", "8333"]
    assert "ports" not in COMPOSE["seaweedfs"]
