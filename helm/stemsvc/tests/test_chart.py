"""The chart, rendered by Helm's own library in every shape that ci/ has."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from chart import CHART, REGISTRY, SHAPES, Document, containers, merged, pods, render, shape_name, values
from click.testing import CliRunner
from readme import described, leaves, readme

from api.app import create_app
from stemsvc.cli.main import main
from stemsvc.host.secret_files import setting_of
from stemsvc.jobs.pools import parse_pools
from stemsvc.models.catalog import load_catalog
from stemsvc.settings import SECRETS, Settings

OURS = {"api", "dispatcher", "worker", "fetcher", "migrate", "flower", "weights"}
FOREIGN = ("keda.sh", "monitoring.coreos.com", "external-secrets.io", "gateway.networking.k8s.io")
KUBERNETES = "1.34"
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=shape_name)


@pytest.fixture(params=SHAPES, ids=shape_name)
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return render(values(request.param))


@EVERY_SHAPE
def test_lint_has_nothing_to_say(shape: Path | None) -> None:
    found = helm.lint(str(CHART), values=values(shape))
    assert [each for each in found["messages"] if each["severity"] > 1] == []


def test_every_object_is_what_kubernetes_takes(documents: list[Document]) -> None:
    for document in documents:
        if document["apiVersion"].split("/")[0] not in FOREIGN:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
        assert re.fullmatch(r"[a-z0-9-]{1,63}", document["metadata"]["name"])
        assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "demo"
    names = [(document["kind"], document["metadata"]["name"]) for document in documents]
    assert len(names) == len(set(names))


def test_what_must_never_be_rendered(documents: list[Document]) -> None:
    assert "Secret" not in {document["kind"] for document in documents}
    for where, pod, container in containers(documents):
        image, tag = container["image"].rsplit(":", 1)
        assert tag not in ("latest", "")
        assert "/" not in tag, where
        context = {**pod["securityContext"], **container["securityContext"]}
        assert context["runAsNonRoot"], where
        assert context["runAsUser"] > 0
        assert context["readOnlyRootFilesystem"], where
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= set(container["resources"][kind]), where
        for variable in container.get("env", []):
            if variable["name"] == "STEMSVC_SECRETS_DIR":
                assert variable["value"] in ("", "/run/secrets/stemsvc"), where
            elif re.search(r"PASSWORD|SECRET|ACCESS_KEY|AUTH$", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"], where
            elif "value" in variable:  # urls name secrets, and hold none
                assert not re.search(r"://[^$]*:[^$/]+@", variable["value"])
        assert image
        # every user of a node can read a process's arguments; Kubernetes fills in $(NAME), a shell fills in $NAME
        assert not re.search(r"\$\(\w*(PASSWORD|SECRET|KEY|TOKEN)\w*\)", " ".join(container.get("args", []))), where


OPENS_THE_STORE = {"api", "dispatcher", "fetcher", "worker", "migrate"}


def test_who_opens_the_store_gets_the_secrets_as_files(documents: list[Document]) -> None:
    seen = 0
    for where, pod, container in containers(documents):
        variables = {each["name"]: each.get("value") for each in container.get("env", [])}
        mounts = {each["name"]: each["mountPath"] for each in container.get("volumeMounts", [])}
        if container["name"] not in OPENS_THE_STORE:
            assert "secrets" not in mounts, where
            continue
        assert mounts["secrets"] == variables["STEMSVC_SECRETS_DIR"], where
        (projected,) = [each["projected"] for each in pod["volumes"] if each["name"] == "secrets"]
        assert projected["defaultMode"] == 0o440, where  # the fsGroup reads them, others do not
        *_, last = sources = [each["secret"] for each in projected["sources"]]
        assert last["optional"], where
        assert {item["key"] for item in last["items"]} >= {"secret-key", "bootstrap-key"}
        files = [item["path"] for source in sources for item in source["items"]]
        assert {setting_of(file) for file in files} <= SECRETS.keys(), where  # our programs know each
        urls = {"STEMSVC_DATABASE_URL", "STEMSVC_BROKER_URL"} - variables.keys()
        if container["name"] != "migrate":  # which has no broker
            assert {f"STEMSVC_{setting_of(file).upper()}" for file in files if file.endswith("-url")} == urls, where
        seen += 1
    assert seen >= 3


def test_a_folder_that_something_else_fills_takes_the_secret_s_place() -> None:
    given = {"settings": {"STEMSVC_SECRETS_DIR": "/vault/secrets"}, "database": {"internal": False}}
    for where, pod, container in containers(render(merged(REGISTRY, given))):
        assert "secrets" not in {each["name"] for each in pod.get("volumes", [])}, where
        variables = {each["name"]: each.get("value") for each in container.get("env", [])}
        if container["name"] in OPENS_THE_STORE:
            assert variables["STEMSVC_SECRETS_DIR"] == "/vault/secrets", where
            assert "STEMSVC_DATABASE_URL" not in variables, where
        elif container["name"] == "weights":  # it needs none, and runs before the agent of some clusters
            assert variables["STEMSVC_SECRETS_DIR"] == "", where


def test_keda_needs_no_key_that_somebody_makes_in_a_pod() -> None:
    gpu = values(CHART / "ci/gpu-values.yaml")
    for given, key in (({}, "bootstrap-key"), ({"keda": {"secretKey": "autoscaler-key"}}, "autoscaler-key")):
        (found,) = [each for each in render(merged(gpu, given)) if each["kind"] == "TriggerAuthentication"]
        (target,) = found["spec"]["secretTargetRef"]
        assert (target["parameter"], target["name"], target["key"]) == ("token", "stemsvc", key)


def test_what_is_named_is_there(documents: list[Document]) -> None:
    by_kind: dict[str, dict[str, Document]] = {}
    for document in documents:
        by_kind.setdefault(document["kind"], {})[document["metadata"]["name"]] = document
    labels = [document["spec"]["template"]["metadata"]["labels"] for document, _ in pods(documents)]
    for document in documents:
        selector = document["spec"].get("selector") if document["kind"] == "Service" else None
        if selector:
            assert any(selector.items() <= each.items() for each in labels), document["metadata"]["name"]
    for document, pod in pods(documents):
        selected = document["spec"].get("selector", {}).get("matchLabels", {})
        assert selected.items() <= document["spec"]["template"]["metadata"]["labels"].items()
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        claims = {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes | claims
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in by_kind["ConfigMap"]
        for volume in pod.get("volumes", []):
            if "configMap" in volume and volume["name"] == "config":
                assert volume["configMap"]["name"] in by_kind["ConfigMap"]
    for scaled in by_kind.get("ScaledObject", {}).values():
        assert scaled["spec"]["scaleTargetRef"]["name"] in by_kind["Deployment"]
        (trigger,) = scaled["spec"]["triggers"]
        assert trigger["authenticationRef"]["name"] in by_kind["TriggerAuthentication"]
        assert trigger["metadata"]["url"].split(".")[0].removeprefix("http://") in by_kind["Service"]


def test_our_programs_understand_what_they_are_told(documents: list[Document]) -> None:
    names = {f"STEMSVC_{name.upper()}" for name in Settings.model_fields}
    settings: dict[str, str] = {}
    pools = []
    for document in documents:
        if document["kind"] == "ConfigMap" and "STEMSVC_POOLS" in document["data"]:
            settings = document["data"]
        if document["kind"] == "ConfigMap" and "pools.yaml" in document["data"]:
            pools = _pools(document["data"]["pools.yaml"])
    assert set(settings) <= names
    assert Settings(**{name.removeprefix("STEMSVC_").lower(): value for name, value in settings.items()})
    assert pools
    for where, _, container in containers(documents):
        if where.split("/")[1] not in OURS:
            continue
        own = {each["name"] for each in container.get("env", []) if each["name"].startswith("STEMSVC_")}
        assert own <= names, where
        named = container["args"][: 2 if container["args"][0] == "models" else 1]
        help_ = CliRunner().invoke(main, [*named, "--help"])
        assert help_.exit_code == 0, where
        for option in (each for each in container["args"] if each.startswith("--")):
            assert option in help_.output, where
        if container["args"][0] == "worker":
            assert container["args"][2] in pools
        if container["args"][0] == "models":
            assert set(container["args"][2:]) <= {"--all", *load_catalog().names}


def _pools(text: str) -> list[str]:
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        return [pool.name for pool in parse_pools(file.name, load_catalog().names)]


def test_a_worker_that_stops_may_finish_its_job(documents: list[Document]) -> None:
    found = 0
    for _, pod in pods(documents):
        for container in pod["containers"]:
            if container["name"] == "worker":
                found += 1
                env = {each["name"]: each.get("value") for each in container["env"]}
                grace = int(env["STEMSVC_SHUTDOWN_GRACE_SECONDS"])
                assert pod["terminationGracePeriodSeconds"] == grace >= 600
                assert container["livenessProbe"] != container["readinessProbe"]
    assert found
    for document in documents:
        if document["kind"] == "ScaledObject":
            behavior = document["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
            assert behavior["stabilizationWindowSeconds"] >= 60


def test_autoscaling_asks_what_the_api_answers(tmp_path: Path) -> None:
    routes = {rule.rule for rule in create_app(Settings(data_dir=tmp_path)).url_map.iter_rules()}
    (document,) = [each for each in render(values(CHART / "ci/gpu-values.yaml")) if each["kind"] == "ScaledObject"]
    (trigger,) = document["spec"]["triggers"]
    path = trigger["metadata"]["url"].split(".svc", 1)[1]
    assert path == "/v1/pools/gpu"
    assert "/v1/pools/<pool:name>" in routes
    assert trigger["metadata"]["valueLocation"] == "jobs"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"workerPools": []}, "workerPools"),
        ({"workerPools": [{"name": "A b", "models": ["demo"], "device": "cpu"}]}, "workerPools"),
        ({"images": {"api": {"tag": "latest"}}}, "tag"),
        ({"database": {"image": "postgres:latest"}}, "image"),
        ({"broker": {"image": "valkey"}}, "image"),
        ({"settings": {"STEMSVC_DATABASE_URL": "postgresql://user:password@host/db"}}, "STEMSVC_DATABASE_URL"),
        ({"settings": {"STEMSVC_BOOTSTRAP_KEY": "0" * 64}}, "STEMSVC_BOOTSTRAP_KEY"),
        ({"settings": {"RATE_LIMIT": "1 per second"}}, "RATE_LIMIT"),
        ({"api": {"colour": "red"}}, "colour"),
        ({"api": {"ingress": {"enabled": True}}}, "api.ingress.host"),
        ({"secrets": {"externalSecret": {"enabled": True}}}, "secrets.externalSecret.store"),
        ({"tracing": {"share": 2}}, "share"),
    ],
)
def test_values_that_can_not_be_are_refused(given: Document, said: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(said)):
        render(merged(REGISTRY, given))


def test_both_replicas_and_keda_are_refused() -> None:
    pool = {**values(CHART / "ci/gpu-values.yaml")["workerPools"][0], "replicas": 2}
    with pytest.raises(helm.HelmError, match="workerPools"):
        render(merged(REGISTRY, {"workerPools": [pool]}))


# --- values.yaml itself


# Values that can't be just any other text or number.
OTHER: dict[str, Any] = {
    "images.pullPolicy": "Always",
    "images.pullSecrets": ["other"],
    "api.serviceType": "NodePort",
    "secrets.externalSecret.storeKind": "SecretStore",
    "api.route.parentRefs": [{"name": "other"}],
    "api.route.hostnames": ["other.example.org"],
    "api.tolerations": [{"key": "other"}],
    "settings": {"STEMSVC_X": "1"},
    **{
        ".".join(filter(None, (name, "pod"))): {"labels": {"other": "other"}}
        for name in ("", "api", "dispatcher", "fetcher", "flower", "database", "broker")
    },
    **{f"images.{name}.digest": f"sha256:{'0' * 64}" for name in ("api", "workerCpu", "workerCuda")},
    "proxy.url": "http://other:3128",
    "proxy.without": ["other"],
    "secrets.keys": {"bootstrap-key": "other"},
    "api.service.more": {"externalTrafficPolicy": "Local"},
    "api.autoscaling.metrics": [{"type": "Resource"}],
    "api.autoscaling.behavior": {"scaleDown": {}},
    "api.ingress.hosts": [{"host": "other.example.org"}],
    "keda.fallback": {"failureThreshold": 1, "replicas": 1},
    "weights.claim.size": "3Gi",
    "weights.claim.accessMode": "ReadWriteOnce",
    "workerPools": [
        {
            "name": "other",
            "models": ["demo"],
            "device": "cpu",
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        }
    ],
    "weights.volume": {"hostPath": {"path": "/weights"}},
    "tracing.share": 0.5,
    "database.image": "other:1",
    "broker.image": "other:1",
    "networkPolicy.ingressNamespaces": ["other"],
    "api.autoscaling.cpu": 50,
    "networkPolicy.monitoringNamespaces": ["other"],
    "networkPolicy.ingressRanges": ["192.0.2.0/24"],
    "api.trustedProxies": ["192.0.2.0/24"],
    "monitoring.rules.docsUrl": "https://other.example.org",
    "networkPolicy.egress.clusterRanges": ["192.0.2.0/24"],
    "networkPolicy.egress.more": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
    **{
        f"networkPolicy.egress.{name}": [{"podSelector": {}}]
        for name in ("dns", "database.to", "broker.to", "identity")
    },
    **{f"networkPolicy.egress.{name}.ports": [1] for name in ("database", "broker")},
    **{f"{name}.size": "3Gi" for name in ("database", "broker")},
    "api.uploadSpace": "3Gi",
    "fetcher.space": "3Gi",
    "images.registry": "other",
    "storage.endpointUrl": "http://other",
    "storage.publicEndpointUrl": "http://other",
    "tracing.endpoint": "http://other",
}
# Values that count only beside others.
BESIDE: Document = {
    "api.replicas": {"api": {"autoscaling": {"enabled": False}}},
    "certificates.key": {"certificates": {"configMap": "roots"}},
    "proxy.without": {"proxy": {"url": "http://proxy:3128"}},
    **{
        f"weights.claim.{name}": {"weights": {"claim": {"create": True}}}
        for name in ("size", "storageClass", "accessMode")
    },
    "networkPolicy.egress.identity": {"secrets": {"s3Keys": False}},
    **{f"networkPolicy.egress.database.{name}": {"database": {"internal": False}} for name in ("to", "ports")},
    **{f"networkPolicy.egress.broker.{name}": {"broker": {"internal": False}} for name in ("to", "ports")},
}
ON: Document = {
    **REGISTRY,
    "database": {"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "16Gi"}}},
    "secrets": {"externalSecret": {"enabled": True, "store": "vault"}},
    "api": {
        "ingress": {"enabled": True, "host": "a.example.org", "className": "a", "tlsSecret": "a"},
        "route": {"enabled": True, "parentRefs": [{"name": "a"}]},
        "autoscaling": {"enabled": True},
    },
    "monitoring": {"serviceMonitor": {"enabled": True}, "rules": {"enabled": True}, "dashboard": {"enabled": True}},
    "tracing": {"endpoint": "http://collector:4318"},
    "workerPools": [
        {
            "name": "gpu",
            "models": ["demo"],
            "device": "cuda",
            "keda": {"max": 2},
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        },
        {
            "name": "cpu",
            "models": ["demo"],
            "device": "cpu",
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        },
    ],
}


@pytest.fixture(scope="module")
def loaded() -> Iterator[helm.Chart]:
    with helm.Chart.load(str(CHART)) as chart:
        yield chart


DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.mark.parametrize("path", [path for path, _ in leaves(DEFAULTS)], ids=".".join)
def test_every_value_makes_a_difference(loaded: helm.Chart, path: tuple[str, ...]) -> None:
    base = merged(merged(DEFAULTS, ON), BESIDE.get(".".join(path), {}))
    changed = copy.deepcopy(base)
    at = changed
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = OTHER.get(".".join(path)) or _other(at[path[-1]])

    assert loaded.render(changed, name="demo") != loaded.render(base, name="demo")


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return "other"
    if isinstance(value, dict) and "limits" in value:
        return {"requests": {"cpu": "3"}, "limits": {"memory": "13Gi"}}
    return {"other": "other"}


def test_every_value_is_described() -> None:
    said = described((CHART / "values.yaml").read_text())
    assert [".".join(path) for path, _ in leaves(DEFAULTS) if len(said[path]) < 8] == []


def test_the_readme_is_made_from_the_values() -> None:
    assert (CHART / "README.md").read_text() == readme(), "python helm/stemsvc/tests/readme.py"


def test_the_docs_values_render_and_ask_for_the_secret_that_they_make() -> None:
    page = (CHART.parent.parent / "docs" / "cluster.md").read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (text,) = (block for language, block in blocks if language == "yaml" and "workerPools" in block)
    with helm.Chart.load(str(CHART)) as chart:
        rendered = "\n".join(chart.render(yaml.safe_load(text), name="stemsvc", namespace="music").values())
    asked = set(re.findall(r"name: stemsvc\n\s+key: ([\w-]+)|\{key: ([\w-]+), path:", rendered))
    rare = {"storage-secret", "fetch-proxy", "otlp-headers"}
    asked = {name for found in asked for name in found if name and not name.startswith("chat-")} - rare
    commands = "\n".join(block for language, block in blocks if language == "console")
    assert asked == set(re.findall(r"--from-literal=([\w-]+)=", commands))
    named = re.findall(r"deploy/([\w-]+)|svc/([\w-]+)", commands)
    assert named
    for name in named:
        assert f"name: {''.join(name)}\n" in rendered
