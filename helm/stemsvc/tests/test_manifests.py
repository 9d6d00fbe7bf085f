"""What the chart renders is what the API server takes, for every shape and name of a release, and after an upgrade."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from admission import quantity, refusals
from chart import CHART, REGISTRY, SHAPES, Document, containers, merged, one, pods, render, shape_name, values

from stemsvc.jobstore.engine import connect

# Names that are long, that end at a dash where they are cut, that YAML takes for numbers or truth, or that have dots.
RELEASES = ["a" * 53, "b" * 39 + "-" * 4 + "c", "2024", "1e3", "true", "my.release", "0x1f"]
LONGEST = {"workerPools": [{"name": "p" * 20, "models": ["demo"], "device": "cpu", "keda": {"max": 1},
                            "resources": {"requests": {}, "limits": {"memory": "1Gi"}}}]}  # fmt: skip
RELEASED = Path(__file__).parent / "immutable.yaml"
FOREIGN = ("keda.sh", "monitoring.coreos.com", "external-secrets.io", "gateway.networking.k8s.io")


def with_values(above: Document) -> list[Document]:
    return render(merged(REGISTRY, above))


@pytest.mark.parametrize("shape", SHAPES, ids=shape_name)
def test_the_api_server_takes_every_shape_under_a_long_name(shape: Path | None) -> None:
    for name in ("demo", "a" * 53):
        assert refusals(render(values(shape), name)) == [], name


@pytest.mark.parametrize("release", RELEASES)
def test_the_api_server_takes_every_release_s_name(release: str) -> None:
    documents = render(merged(values(CHART / "ci" / "cpu-values.yaml"), LONGEST), release)
    assert refusals(documents) == []
    for document in documents:
        if document["apiVersion"].split("/")[0] not in FOREIGN:
            kubernetes_validate.validate(document, "1.34", strict=True)


def breaking() -> Iterator[tuple[str, Callable[[dict[str, Any]], object]]]:
    """What to look for in a refusal, and a change of the api's Deployment that the API server refuses."""

    def first(pod: Document) -> Document:
        return pod["containers"][0]  # type: ignore[no-any-return]

    yield "sources", lambda pod: pod["volumes"][0].update(hostPath={"path": "/"})
    yield "volume", lambda pod: pod["volumes"].append(pod["volumes"][0])
    yield "no volume", lambda pod: first(pod)["volumeMounts"].append({"name": "other", "mountPath": "/other"})
    yield "mount at", lambda pod: first(pod)["volumeMounts"].append(first(pod)["volumeMounts"][0])
    yield "port", lambda pod: first(pod)["ports"].append({"name": "http", "containerPort": 1})
    yield "names the port", lambda pod: first(pod)["livenessProbe"]["httpGet"].update(port="web")
    yield "variable", lambda pod: first(pod)["env"].append({"name": "1 b", "value": "c"})
    yield "variable", lambda pod: first(pod)["env"].append({"name": "REDIS_PASSWORD", "value": "c"})
    yield "come later", lambda pod: first(pod)["env"].insert(0, {"name": "A", "value": "$(REDIS_PASSWORD)"})
    yield "5 GB", lambda pod: first(pod)["resources"]["limits"].update(memory="5 GB")
    yield "may have", lambda pod: first(pod)["resources"]["requests"].update(cpu="64")
    yield "container", lambda pod: pod["initContainers"].append(first(pod))
    yield "the image", lambda pod: first(pod).update(image="Has Spaces")


@pytest.mark.parametrize(("said", "change"), list(breaking()))
def test_a_pod_that_the_api_server_would_refuse_is_seen(said: str, change: Callable[[dict[str, Any]], object]) -> None:
    documents = with_values({})
    change(one(documents, "Deployment", "demo-stemsvc-api")["spec"]["template"]["spec"])
    found = refusals(documents)
    assert found
    assert any(said in each for each in found), found


# --- upgrades


def immutable(documents: list[Document]) -> Document:
    """The fields that Kubernetes lets nobody change, of each object that has some."""
    found: Document = {}
    for document in documents:
        spec, where = document.get("spec", {}), f"{document['kind']} {document['metadata']['name']}"
        if document["kind"] == "Deployment":
            found[where] = {"selector": spec["selector"]}
        if document["kind"] == "StatefulSet":
            found[where] = {each: spec[each] for each in ("selector", "serviceName", "volumeClaimTemplates")}
        if document["kind"] == "Service":
            found[where] = {"headless": spec.get("clusterIP") == "None"}
    return found


def test_no_change_of_values_changes_what_can_not_change() -> None:
    seen: Document = {}
    for shape in SHAPES:
        for where, fields in immutable(render(values(shape))).items():
            assert seen.setdefault(where, fields) == fields, (shape_name(shape), where)
    for above in ({"commonLabels": {"team": "a"}}, {"podAnnotations": {"a": "b"}}, {"images": {"api": {"tag": "9"}}}):
        for where, fields in immutable(with_values(above)).items():
            assert seen[where] == fields, where


def test_a_release_that_runs_can_be_upgraded() -> None:
    released = yaml.safe_load(RELEASED.read_text())
    for shape, before in released.items():
        now = immutable(render(values(CHART / "ci" / f"{shape}-values.yaml")))
        assert {where: now[where] for where in before} == before, shape


def test_the_same_values_render_the_same() -> None:  # or a controller of GitOps would apply them for ever
    assert with_values({}) == with_values({})
    # NOTES.txt makes no object: it may look at the cluster
    texts = [path.read_text() for path in (CHART / "templates").iterdir() if path.name != "NOTES.txt"]
    assert not re.findall(
        r"\b(?:lookup|randAlpha\w*|uuidv4|now|genCA|\.Release\.(?:IsInstall|IsUpgrade|Revision))\b", " ".join(texts)
    )


# --- the store's tables


def test_every_pod_that_opens_the_store_migrates_it_first(documents: list[Document]) -> None:
    seen = set()
    for document, pod in pods(documents):
        users = [
            each
            for each in pod["containers"]
            if "STEMSVC_SECRETS_DIR" in {variable["name"] for variable in each.get("env", [])}
        ]
        for user in users:
            migrate = pod["initContainers"][0]
            assert migrate["args"][0] == "migrate"
            assert migrate["image"] == user["image"]
            url = [[v for v in c["env"] if v["name"] == "STEMSVC_DATABASE_URL"] for c in (migrate, user)]
            assert url[0] == url[1]
            seen.add(document["metadata"]["labels"]["app.kubernetes.io/component"].split("-")[0])
    assert seen == {"api", "dispatcher", "fetcher", "worker"}


def test_no_order_of_objects_is_needed(documents: list[Document]) -> None:
    """Neither Helm's hooks nor Argo CD's phases: nothing waits for what is applied later or deleted."""
    assert "Job" not in {document["kind"] for document in documents}
    for document in documents:
        annotations = document["metadata"].get("annotations", {})
        if annotations.get("helm.sh/hook") == "test":  # it is made when somebody says `helm test`
            continue
        assert not [name for name in annotations if name.startswith(("helm.sh/hook", "argocd.argoproj.io/"))]


@pytest.fixture(params=SHAPES, ids=shape_name)
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return render(values(request.param))


# --- values that don't fit together


RESOURCES = {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
POOL = {"name": "cpu", "models": ["demo"], "device": "cpu", "resources": RESOURCES}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"images": {"registry": ""}}, "images.registry"),
        ({"images": {"registry": "https://registry.example.org"}}, "registry"),
        ({"workerPools": [POOL, POOL]}, "workerPools"),
        ({"workerPools": [{**POOL, "keda": {"min": 3, "max": 2}}]}, "keda.min"),
        ({"workerPools": [{**POOL, "weights": {"volume": {"hostPath": {"path": "/a"}, "emptyDir": {}}}}]}, "one"),
        ({"weights": {"volume": {"hostPath": {"path": "/a"}, "emptyDir": {}}}}, "emptyDir, hostPath"),
        ({"workerPools": [{**POOL, "extraVolumes": [{"name": "data", "emptyDir": {}}]}]}, "extraVolumes"),
        ({"workerPools": [{**POOL, "extraVolumes": [{"name": "a", "emptyDir": {}, "hostPath": {}}]}]}, "extraVolumes"),
        ({"workerPools": [{**POOL, "extraVolumeMounts": [{"name": "a", "mountPath": "/a"}]}]}, "no volume is called a"),
        ({"workerPools": [{**POOL, "extraVolumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}]}, "extraVolumeMounts"),
        ({"workerPools": [{**POOL, "extraEnv": [{"name": "A", "value": "1"}] * 2}]}, "extraEnv"),
        ({"workerPools": [{**POOL, "scratch": "5 GB"}]}, "scratch"),
        ({"database": {"size": "10 GB"}}, "size"),
        ({"commonLabels": {"app.kubernetes.io/name": "mine"}}, "app.kubernetes.io/name"),
        ({"commonLabels": {"team": "has spaces"}}, "commonLabels"),
        ({"commonLabels": {"team": "a" * 64}}, "commonLabels"),
        ({"networkPolicy": {"ingressNamespaces": ["A b"]}}, "ingressNamespaces"),
        ({"networkPolicy": {"egress": {"clusterRanges": ["0.0.0.0/0"]}}}, "clusterRanges"),
        ({"networkPolicy": {"egress": {"more": [{"to": []}]}}}, "more"),
        ({"storage": {"endpointUrl": "account.r2.cloudflarestorage.com"}}, "endpointUrl"),
        ({"fullnameOverride": "Stems"}, "fullnameOverride"),
    ],
)
def test_what_the_api_server_would_refuse_is_refused_before(given: Document, said: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(said)):
        with_values(given)


def test_a_variable_of_the_chart_s_own_can_not_be_given_again() -> None:
    (worker,) = [
        each for where, _, each in containers(with_values({"workerPools": [POOL]})) if where.endswith("/worker")
    ]
    for variable in worker["env"]:
        with pytest.raises(helm.HelmError, match="extraEnv"):
            with_values({"workerPools": [{**POOL, "extraEnv": [{"name": variable["name"], "value": "1"}]}]})


@pytest.mark.parametrize("below", [{}, {"weights": {"volume": {"emptyDir": None, "hostPath": {"path": "/all"}}}}])
@pytest.mark.parametrize("own", [{}, {"persistentVolumeClaim": {"claimName": "mine"}}])
def test_the_weights_of_a_pool_have_one_source(below: Document, own: Document) -> None:
    documents = with_values({**below, "workerPools": [{**POOL, "weights": {"volume": own}}]})
    (volume,) = [each for _, pod in pods(documents) for each in pod.get("volumes", []) if each["name"] == "weights"]
    assert refusals(documents) == []
    expected = own or ({"hostPath": {"path": "/all"}} if below else {"emptyDir": {"sizeLimit": "10Gi"}})
    assert {name: value for name, value in volume.items() if name != "name"} == expected


def test_settings_are_the_text_that_was_written() -> None:
    written: dict[str, tuple[Any, str]] = {
        "STEMSVC_MAX_UPLOAD_BYTES": (1073741824, "1073741824"),
        "STEMSVC_TRACE_SHARE": (0.25, "0.25"),
        "STEMSVC_FALLBACK_TO_CPU": (False, "false"),
        "STEMSVC_LOG_FORMAT": ("console", "console"),
        "STEMSVC_S3_REGION": ("eu-west-1", "eu-west-1"),
    }
    settings = {name: value for name, (value, _) in written.items()}
    data = one(with_values({"settings": settings}), "ConfigMap", "demo-stemsvc")["data"]
    assert {name: data[name] for name in settings} == {name: text for name, (_, text) in written.items()}


# --- store and broker inside


def connections(documents: list[Document]) -> int:
    args = one(documents, "StatefulSet", "demo-stemsvc-postgres")["spec"]["template"]["spec"]["containers"][0]["args"]
    return int(args[1].removeprefix("max_connections="))


def test_postgresql_has_connections_for_the_most_pods_that_the_values_allow() -> None:
    pool = connect("postgresql://localhost/none").pool
    of_a_process = pool.size() + pool._max_overflow  # type: ignore[attr-defined]
    given = {
        "api": {"processes": 4, "autoscaling": {"enabled": True, "maxReplicas": 6}},
        "workerPools": [{**POOL, "concurrency": 3, "keda": {"max": 9}}, {**POOL, "name": "two", "replicas": 2}],
        "database": {"resources": {"limits": {"memory": "4Gi"}}},
    }
    needed = 7 * 4 * of_a_process + 2 * 5 + 2 * 18 + 10 * (3 * 3 + 1) + 3 * (2 * 3 + 1)
    assert needed < connections(with_values(given)) <= needed + 20
    assert connections(with_values({"api": {"replicas": 5}})) - connections(with_values({"api": {"replicas": 4}})) == 30


@pytest.mark.parametrize(
    ("above", "fits"),
    [
        ({"api": {"replicas": 10}}, False),
        ({"api": {"replicas": 10}, "database": {"resources": {"limits": {"memory": "4Gi"}}}}, True),
        ({"api": {"replicas": 10}, "database": {"resources": {"limits": {"memory": 4294967296}}}}, True),
        ({"database": {"resources": {"limits": {"memory": "512M"}}}}, False),
        ({"workerPools": [{**POOL, "keda": {"max": 60}}]}, False),
        ({"workerPools": [{**POOL, "keda": {"max": 60}}], "database": {"internal": False}}, True),
    ],
)
def test_more_connections_than_postgresql_s_memory_holds_are_refused(above: Document, fits: bool) -> None:
    if fits:
        with_values(above)
    else:
        with pytest.raises(helm.HelmError, match=r"database\.resources\.limits\.memory"):
            with_values(above)


@pytest.mark.parametrize("memory", ["512Mi", "2Gi", "1G", 536870912])
def test_the_broker_refuses_messages_before_the_kernel_kills_it(memory: Any) -> None:
    documents = with_values({"broker": {"resources": {"limits": {"memory": memory}}}})
    container = one(documents, "StatefulSet", "demo-stemsvc-redis")["spec"]["template"]["spec"]["containers"][0]
    given = dict(line.split() for line in container["args"][-1].splitlines()[1:-1])
    limit = quantity(memory)
    assert limit
    assert given["maxmemory-policy"] == "noeviction"  # an evicted key is a lost queue
    assert 0.5 * limit < int(given["maxmemory"].removesuffix("mb")) * 2**20 <= 0.6 * limit


def test_a_change_of_values_is_not_one_of_the_caller_s() -> None:
    given = {"settings": {"STEMSVC_LOG_LEVEL": "DEBUG"}}
    before = copy.deepcopy(given)
    with_values(given)
    assert given == before
