"""README.md and docs/ are promises: their commands run, their tables are the code's own, their links lead somewhere."""

from __future__ import annotations

import inspect
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
import yaml
from stemsvc_client.conversation_flows import ConversationFlows
from stemsvc_client.flows import Flows
from stemsvc_client.workflow_flows import WorkflowFlows

from api.schemas.forms import KindForm
from api.schemas.kinds.separate import JobForm
from stemsvc.assistants.tools import TOOLS
from stemsvc.cli.main import main
from stemsvc.cli.plan import PER_DAY
from stemsvc.embedded.ports import free_port
from stemsvc.embedded.state import running
from stemsvc.errors import TABLE
from stemsvc.host.secret_files import variable_of
from stemsvc.jobs import warnings
from stemsvc.jobs.pools import Pool, parse_pools
from stemsvc.kinds.base import Kind
from stemsvc.models.catalog import load_catalog
from stemsvc.models.entry import ModelEntry
from stemsvc.queue.celery import Tasks, celery_config
from stemsvc.settings import SECRETS, Settings
from tests.conftest import ACCESS_KEY, SECRET_KEY
from tests.docs_tables import PAGES, README, TABLES, fill, own_errors
from tests.processes import plain_environment, stemsvc, wait_for
from tests.programs import need
from workers.kinds.base import Attempt, LocalInput, Made, MadeFile

ROOT = README.parent
TEXTS = {page.name: page.read_text() for page in PAGES}
ALL = "\n".join(TEXTS.values())
MAKEFILE = (ROOT / "Makefile").read_text()
# Targets whose recipe another test runs: `.ci/run` (make test), tests/stemsvc/cli/test_main.py (the other two).
RUN_ELSEWHERE = {"make demo": "stemsvc demo", "make up": "stemsvc up --detach", "make test": "pytest"}
BUNDLED = {"STEMSVC_DEFAULT_MODEL": "demo"}  # what needs no network
# What the output of a block must have in it, if the block has the words on the left.
SHOWN = {
    "format=wav": '"state":"queued"', "upload_id": '"state":"queued"', "/events": '"to": "succeeded"',
    "Prefer: wait": '"cached":', "limit=10": '"next_cursor"', "/v1/usage": '"accounts"',
    "stemsvc separate": "vocals.flac", "keys create": "stemsvc_", "demo-output --json": '"paths"',
    '"steps": [': '"waiting_for_inputs"', '"recipe": "karaoke"': '"recipe":"karaoke"',
    "--url http://127.0.0.1:8080 -o demo-output": "vocals.flac",
    '"for_each": "split"': '"minus[bass]"', "-F recipe=remaster": '"recipe":"remaster"',
    "recipes show practice": "sample-pack", "recipes check": "karaoke is right",
    "stemsvc run remaster": "mixture - master.flac", "stemsvc run karaoke": "mixture - song analysis.json",
    "keys list": "laptop", "models pull": "demo", "webhooks secret": "whsec_", "webhooks list": "no deliveries",
    "stemsvc transcribe": "all.mid", "stemsvc export": ".dawproject",
    "stemsvc analyze": "mixture - analysis.json", "stemsvc plan": "s until it begins",
    "stemsvc chat": "Version 2 is being made",
    "stemsvc generate": "a dark trap beat at 140 - mix.flac",
    "stemsvc audit": "no entries", "stemsvc backup": "every checksum fits", "report daily": "demo-output.html",
    "check parity": "no process is alive", "stemsvc size": "workers:",
    "stemsvc mix": "drums - mix.flac", "stemsvc master": "mixture - master.flac",
}  # fmt: skip
EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(language: str, page: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXTS[page], re.DOTALL)


QUICK = {("README.md", "python")}  # the README's commands need a service for each: long


def each_block(language: str) -> pytest.MarkDecorator:
    found = [(name, number, text) for name in TEXTS for number, text in enumerate(blocks(language, name), 1)]
    assert found, language
    cases = [
        pytest.param(text, id=f"{name}-{n}", marks=[] if (name, language) in QUICK else [pytest.mark.long])
        for name, n, text in found
    ]
    return pytest.mark.parametrize("block", cases)


def in_code(page: str) -> list[str]:
    """What stands between backticks in a page's prose and tables."""
    prose = re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", prose)


def explained(page: str, heading: str) -> list[str]:
    """The names in the first column of the table with that heading, in their order."""
    rows = TEXTS[page].split(f"| {heading} |")[1].split("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def public(*classes: type) -> set[str]:
    own = (name for each in classes for name in (*vars(each), *vars(each).get("__annotations__", ())))
    return {name for name in own if not name.startswith("_")}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `make up` runs, on a port of its own."""
    with up(tmp_path_factory.mktemp("docs") / "data") as url:
        yield url


@contextmanager
def up(data: Path, **environment: str) -> Iterator[str]:
    """The address of a service that `stemsvc up` starts with these settings."""
    command = stemsvc("up", "--port", str(free_port()), "--data-dir", str(data))
    process = subprocess.Popen(command, env=plain_environment(**{**BUNDLED, **environment}), stdout=subprocess.DEVNULL)
    try:
        yield wait_for("the service", lambda: running(Settings(data_dir=data)), 90).url
    finally:
        process.terminate()
        process.wait(60)


def run_shell(block: str, url: str, folder: Path) -> None:
    """Run the commands against the service at `url`, and look for what they must show."""
    script = block.replace("http://127.0.0.1:8080", url).replace("-o demo-output", f"-o {folder}")
    script = script.replace(".venv/bin/stemsvc", " ".join(stemsvc()))
    environment = plain_environment(STEMSVC_DATA_DIR=str(folder / "data"), **BUNDLED)
    command = ["sh", "-ec", script]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (script, done.stderr)
    assert '"status"' not in done.stdout, (script, done.stdout)  # a problem
    expected = [words for line, words in SHOWN.items() if line in block]
    assert expected, f"say in SHOWN what this block shows: {block}"
    assert [words for words in expected if words not in done.stdout] == [], (script, done.stdout)


# --- commands and examples


@each_block("sh")
def test_every_shell_command_runs(block: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    lines = [line for line in block.splitlines() if line not in RUN_ELSEWHERE]
    if not lines:
        return  # `test_what_runs_elsewhere_is_what_the_targets_run` looks at these
    if "curl" in block:  # a machine may have Python and make alone; the Python examples make the same calls
        need("curl")
    run_shell("\n".join(lines), request.getfixturevalue("service"), tmp_path)


@pytest.mark.long
def test_the_upload_is_sent_to_s3_too(rclone_endpoint: str, tmp_path: Path) -> None:
    need("curl")
    (block,) = (each for each in blocks("sh", "api.md") if "/v1/uploads" in each)
    s3 = {
        "STEMSVC_STORAGE": "s3",
        "STEMSVC_S3_ENDPOINT_URL": rclone_endpoint,
        "STEMSVC_S3_BUCKET": "stems",
        "STEMSVC_S3_REGION": "us-east-1",
        "STEMSVC_S3_ACCESS_KEY_ID": ACCESS_KEY,
        "STEMSVC_S3_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    with up(tmp_path / "service", **s3) as url:
        run_shell(block, url, tmp_path)


def test_no_snippet_cuts_json_by_its_letters() -> None:
    shell = "\n".join(block for name in TEXTS for language in ("sh", "console") for block in blocks(language, name))

    assert re.findall(r"\b(?:sed|awk|grep|cut)\b.*", shell) == []


def test_what_runs_elsewhere_is_what_the_targets_run() -> None:
    for command, recipe in RUN_ELSEWHERE.items():
        assert re.search(rf"^{command.split()[1]}:.*\n\t.*{re.escape(recipe)}", MAKEFILE, re.MULTILINE), command


def test_every_output_that_is_expected_is_looked_for() -> None:
    shell = "\n".join(block for name in TEXTS for block in blocks("sh", name))

    assert [words for words in SHOWN if words not in shell] == []
    assert [command for command in RUN_ELSEWHERE if command not in shell] == []


@each_block("python")
def test_every_python_example_runs(block: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stemsvc").symlink_to(ROOT / "stemsvc")
    monkeypatch.chdir(tmp_path)
    exec(compile(block.replace("http://127.0.0.1:8080", service), "docs", "exec"), {})

    if folders := set(re.findall(r'output_dir="(.+?)"', block)):
        saved = [path for folder in folders for path in (tmp_path / folder).iterdir()]
        assert saved
        assert [path for path in saved if path.stat().st_size < 10_000] == []


def test_the_example_of_an_own_catalog_is_one(tmp_path: Path) -> None:
    text, presets = blocks("yaml", "models.md")
    (tmp_path / "mine.yaml").write_text(text + presets)

    (file,) = load_catalog(tmp_path / "mine.yaml").get("someone/mine").files
    assert file.sha256 is None  # which is why the text goes on with `models lock`
    assert load_catalog(tmp_path / "mine.yaml").preset("vocals").options[0].shifts == 2


def test_the_example_of_an_assistant_s_settings_is_a_command() -> None:
    (text,) = blocks("json", "assistants.md")
    server = json.loads(text)["mcpServers"]["stemsvc"]

    assert server["command"] == "stemsvc"
    assert _is_command(server["args"])
    assert {name.removeprefix("STEMSVC_").lower() for name in server["env"]} <= set(Settings.model_fields)


def test_the_example_of_pools_is_one(tmp_path: Path) -> None:
    (text,) = (each for each in blocks("yaml", "cluster.md") if each.startswith("pools:"))
    (tmp_path / "pools.yaml").write_text(text)

    first, second = parse_pools(str(tmp_path / "pools.yaml"), load_catalog().names)
    assert (first.time_limit, first.kinds, second.kinds) == (1800, ("separate",), ("*",))
    assert second.models == tuple(load_catalog().names)
    ours = {field.alias or name for name, field in Pool.model_fields.items()}
    assert set().union(*yaml.safe_load(text)["pools"]) == ours  # "the YAML file has all fields"


def test_the_example_of_an_entry_point_is_that_of_the_package() -> None:
    (text,) = blocks("toml", "kinds.md")
    package = tomllib.loads((ROOT / "tests" / "plugin" / "pyproject.toml").read_text())

    assert tomllib.loads(text)["project"]["entry-points"] == package["project"]["entry-points"]


# --- tables


@EACH_PAGE
def test_the_tables_are_those_of_the_code(page: Path) -> None:
    assert fill(TEXTS[page.name]) == TEXTS[page.name], "run: python -m tests.docs_tables"


def test_every_table_stands_once() -> None:
    assert sorted(re.findall(r"^<!-- (\w+) -->$", ALL, re.MULTILINE)) == sorted(TABLES)
    assert sorted(re.findall(r"^<!-- /(\w+) -->$", ALL, re.MULTILINE)) == sorted(TABLES)


def test_every_code_is_explained_once() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d{3}|—) \| (.+) \|$", TEXTS["errors.md"], re.MULTILINE)

    assert [code for code, *_ in rows] == list(own_errors())
    for code, kind, status, words in rows:
        error = TABLE[code]
        assert (kind, status) == (error.kind, str(error.status or "—")), code
        assert len(words) > 10, code


def test_every_code_has_an_address() -> None:
    found = re.findall(r'^\| `(\w+)` \|.*\| <a id="(\w+)"></a>', TEXTS["errors.md"], re.MULTILINE)

    assert found == [(code, code) for code in own_errors()]


def test_every_code_of_weights_is_explained_where_the_models_are() -> None:
    text = TEXTS["models.md"].split("## When weights do not come")[1]
    raised = [code for code in own_errors() if re.match(r"(weights|cache|convert)_", code)]

    assert len(raised) > 10
    assert [code for code in raised if f"`{code}`" not in text] == []


def test_every_field_of_a_separation_is_explained() -> None:
    assert sorted(explained("api.md", "field")) == sorted(JobForm().fields)


SEAM = {
    Kind: public(Kind),
    KindForm: {*KindForm.__annotations__, "sources", "spread"},
    LocalInput: public(LocalInput),
    Attempt: public(Attempt),
    Made: public(Made) - {"seconds"},  # the service reads it
    MadeFile: public(MadeFile) - {"bytes", "digest", "crc32"},  # the same
}


@pytest.mark.parametrize("each", SEAM, ids=lambda each: each.__name__)
def test_every_attribute_of_the_seam_is_explained(each: type) -> None:
    assert sorted(explained("kinds.md", f"attribute of `{each.__name__}`")) == sorted(SEAM[each])


def test_the_reasons_are_those_of_celery_s_settings() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| .+ \|$", TEXTS["reliability.md"], re.MULTILINE)
    config = celery_config(Settings())

    assert len(rows) > 5
    assert {name: yaml.safe_load(value) for name, value in rows} == {name: config.get(name) for name, _ in rows}


# --- names


@EACH_PAGE
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))

    assert {name for each in in_code(page.name) for name in re.findall(r"^make ([a-z-]+)", each)} <= targets


def test_every_command_that_is_named_exists_with_its_options() -> None:
    named = [each for page in TEXTS for each in in_code(page)]
    named += [line for page in TEXTS for block in (*blocks("sh", page), *blocks("console", page))
              for line in re.findall(r"(?:-- |\.venv/bin/)(stemsvc .+)", block)]  # fmt: skip
    commands = [words.split()[1:] for words in named if words.startswith("stemsvc ")]

    assert len(commands) > 40
    assert [" ".join(words) for words in commands if not _is_command(words)] == []


def _is_chart_value(name: str) -> bool:
    """Whether the chart has such a value: `api.service` of it is no module."""
    place = yaml.safe_load((ROOT / "helm" / "stemsvc" / "values.yaml").read_text())
    for each in name.split("."):
        if not isinstance(place, dict) or each not in place:
            return False
        place = place[each]
    return True


def _is_command(words: list[str]) -> bool:
    if words[0] == "plan" and PER_DAY in words:
        words = ["size", *words[1:]]  # which it then is
    command: click.Command | None = main
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        if (found := command.get_command(click.Context(command), rest[0])) is None:
            return False
        command, rest = found, rest[1:]
    assert command is not None
    parameters = command.get_params(click.Context(command))
    known = {option for each in parameters for option in (*each.opts, *each.secondary_opts)}
    takes = any(isinstance(parameter, click.Argument) or parameter.opts for parameter in command.params)
    return {word for word in rest if word.startswith("-")} <= known and (takes or not rest)


def test_every_setting_that_is_named_exists() -> None:
    names = {f"STEMSVC_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"(?<!_)STEMSVC_[A-Z0-9_]+", ALL)) <= names | {*map(variable_of, SECRETS)}


def test_every_snake_case_name_exists() -> None:
    """Codes, fields of requests and answers, attributes, models: a misspelt one is none of these."""
    description = (ROOT / "api" / "openapi.json").read_text()
    known = {*own_errors(), *warnings.TABLE, *re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)+", description)}
    known |= {*public(Kind, Attempt, Made, MadeFile), *Pool.model_fields, *ModelEntry.model_fields}
    known |= {*load_catalog().names, *celery_config(Settings())}
    known |= {*(tool.name for tool in TOOLS), "job_id"}  # an assistant's
    known |= {
        *public(Flows, WorkflowFlows, ConversationFlows),
        *inspect.signature(Flows.run).parameters,
    }  # the client's
    known |= {"mdx_q", "mdx_extra_q"}  # of which the page says that the catalog lacks them
    known |= {"consumer_timeout", "trace_id"}  # RabbitMQ's, and the logs'
    known |= {"from_job", "from_output"}  # the manifest's
    for part in (ROOT / "workers" / "audio" / "analysis").glob("*.py"):  # an analysis' facts
        known |= set(re.findall(r"[a-z]+(?:_[a-z]+)+", part.read_text()))
    known |= {"runbook_url", "max_connections", "pg_stat_activity"}  # Prometheus' and PostgreSQL's
    written = {each for page in TEXTS for each in in_code(page) if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", each)}

    assert len(written) > 150
    assert written - known == set()


def test_every_dotted_name_exists() -> None:
    names = {each for page in TEXTS for each in in_code(page) if re.fullmatch(r"(stemsvc|api|workers)(\.\w+)+", each)}
    names = {each for each in names if not _is_chart_value(each)}
    tasks = {value for name, value in vars(Tasks).items() if name.isupper()}

    assert names & tasks >= {Tasks.RUN, Tasks.SEPARATE, Tasks.FETCH}
    for name in names - tasks - {"stemsvc.kinds"}:  # which is also the entry point's group
        pkgutil.resolve_name(name)


@EACH_PAGE
def test_every_path_of_the_api_that_is_named_exists(page: Path) -> None:
    known = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, calls in json.loads((ROOT / "api" / "openapi.json").read_text())["paths"].items()
        for method in calls
    }
    named = [re.fullmatch(r"(GET|POST|DELETE) (/v1/[^?]+)(\?.*)?", each) for each in in_code(page.name)]

    wanted = {(found[1], re.sub(r"\{\w+\}", "{}", found[2])) for found in named if found and "<" not in found[2]}
    assert wanted - known == set()


# --- pages and links


def test_the_readme_is_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 200


def test_every_page_is_in_the_readme_the_index_and_the_site() -> None:
    pages = {page.name for page in PAGES} - {"README.md", "index.md"}
    nav = re.findall(r"[\w-]+\.md", str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))

    assert pages <= set(re.findall(r"\]\(docs/([\w-]+\.md)\)", TEXTS["README.md"]))
    assert pages <= set(re.findall(r"\]\(([\w-]+\.md)\)", TEXTS["index.md"]))
    assert sorted(nav) == sorted({*pages, "index.md"})


@EACH_PAGE
def test_every_link_and_every_file_that_is_named_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXTS[page.name]) if not link.startswith("http")]
    for link in links:
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text()), link
    path = re.compile(r"(api|stemsvc|deploy|helm|tests|workers|docs)/[\w./-]*")
    named = [each for each in in_code(page.name) if path.fullmatch(each)]
    assert [each for each in named if not (ROOT / each).exists()] == []


def _anchors(text: str) -> Iterable[str]:
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        yield re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it: a broken link in it is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=plain_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_asks_nothing_of_other_hosts(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=\"?([^\s\">]+)", text)
        assert loaded
        assert [each for each in loaded if re.match(r"(https?:)?//", each)] == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import\s+)[\"']?(?:https?:)?//", style.read_text()) == [], style


def test_the_site_has_its_pages_as_markdown_too(site: Path) -> None:
    listed = re.findall(r"^- \[.+\]\(([\w-]+\.md)\)$", (site / "llms.txt").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert all((site / name).read_text() == (ROOT / "docs" / name).read_text() for name in listed)


def test_files_of_the_repository_that_pages_link_to_are_on_the_site(site: Path) -> None:
    linked = {link for page in PAGES[1:] for link in re.findall(r"\]\(\.\./([^)#]+)", TEXTS[page.name])}

    assert "deploy/README.md" in linked
    for path in linked:
        place = f"{path}.html" if not path.endswith(".md") else path
        folder = site / "repository" / re.sub(r"(README)?\.(md|html)$", "", place)
        assert (folder / "index.html").is_file(), path


def test_no_test_here_loads_helm() -> None:
    """Helm's library is Go. Its handler of a broken pipe needs more stack than pytest's faulthandler has set aside.

    The process then ends by a segmentation fault, without a word. The chart's tests have processes of their own.
    """
    loading = re.compile(r"^\s*(?:import|from) helm_python\b", re.MULTILINE)
    assert [path for path in (ROOT / "tests").rglob("*.py") if loading.search(path.read_text())] == []
    assert [path for path in (ROOT / "helm").rglob("*.py") if loading.search(path.read_text())]


def test_the_readme_of_the_training_names_modules_that_are_there() -> None:
    rows = re.findall(r"^\| (`.+?`) \|", (ROOT / "training" / "README.md").read_text(), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(named) > 5
    places = [(ROOT / "training", ROOT)["/" in name] / f"{name}.py" for name in named]
    assert [str(place) for place in places if not place.exists()] == []
