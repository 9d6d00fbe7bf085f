"""What the values say of pods reaches every component, and what an operator's cluster asks for besides."""

from __future__ import annotations

import re
from typing import Any

import helm_python as helm
import kubernetes_validate
import pytest
from chart import CHART, REGISTRY, Document, containers, merged, one, pods, render, values

COMPONENTS = {"api", "dispatcher", "fetcher", "flower", "postgres", "redis", "worker-cpu"}
NAMES = {"postgres": "database", "redis": "broker"}  # of the values, where they are not the components'
ALL: Document = {
    "labels": {"team": "audio"},
    "annotations": {"example.org/who": "all"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 2, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "priorityClassName": "music",
    "securityContext": {"supplementalGroups": [7]},
    "containerSecurityContext": {"seLinuxOptions": {"level": "s0"}},
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "configMap": {"name": "more"}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/etc/more"}],
    "schedulerName": "bins",
    "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["bucket.example.org"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "extraInitContainers": [{"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}],
}
OWN: Document = {
    "labels": {"tier": "own"},
    "annotations": {"example.org/who": "own"},
    "nodeSelector": {"zone": "b"},
    "tolerations": [{"key": "b", "operator": "Exists"}],
    "affinity": {"podAffinity": {}},
    "priorityClassName": "own",
    "extraEnv": [{"name": "OWN", "value": "1"}],
}
POOL = {**values(CHART / "ci/gpu-values.yaml")["workerPools"][0], "name": "cpu", "device": "cpu"}


def of_components(documents: list[Document]) -> dict[str, Document]:
    return {
        document["metadata"]["labels"]["app.kubernetes.io/component"]: document["spec"]["template"]
        for document, _ in pods(documents)
    }


@pytest.fixture(scope="module")
def everywhere() -> dict[str, Document]:
    own: Document = {NAMES.get(name, name): {"pod": OWN} for name in COMPONENTS - {"worker-cpu"}}
    pool = {key: value for key, value in POOL.items() if key not in ("keda", "tolerations", "nodeSelector")}
    given = merged(REGISTRY, {"pod": ALL, **own, "workerPools": [{**pool, "pod": OWN}]})
    documents = render(given)
    for document in documents:
        kubernetes_validate.validate(document, "1.34", strict=True)
    return of_components(documents)


def test_there_is_no_component_beside_these(everywhere: dict[str, Document]) -> None:
    assert set(everywhere) == COMPONENTS


@pytest.mark.parametrize("component", sorted(COMPONENTS))
def test_every_component_gets_what_is_for_all_and_its_own_over_it(
    everywhere: dict[str, Document], component: str
) -> None:
    template = everywhere[component]
    meta, pod = template["metadata"], template["spec"]
    assert {"team": "audio", "tier": "own"}.items() <= meta["labels"].items()
    assert meta["annotations"]["example.org/who"] == "own"
    assert pod["nodeSelector"] == {"disk": "fast", "zone": "b"}
    assert [each["key"] for each in pod["tolerations"]] == ["a", "b"]
    assert pod["affinity"] == {"podAffinity": {}}
    assert pod["priorityClassName"] == "own"
    assert (pod["schedulerName"], pod["dnsConfig"]["options"][0]["name"]) == ("bins", "ndots")
    assert [each["ip"] for each in pod["hostAliases"]] == ["192.0.2.7"]
    begins = [each["name"] for each in pod.get("initContainers", [])]
    assert "migrate" not in begins or begins[0] == "proxy"
    (spread,) = pod["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == component
    assert (pod["securityContext"]["supplementalGroups"], pod["securityContext"]["runAsNonRoot"]) == ([7], True)
    assert "more" in {each["name"] for each in pod["volumes"]}
    for container in pod["containers"]:
        assert container["securityContext"]["seLinuxOptions"] == {"level": "s0"}
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"TZ", "OWN"} <= {each["name"] for each in container["env"]}
        assert {"configMapRef": {"name": "more"}} in container["envFrom"]
        assert "/etc/more" in {each["mountPath"] for each in container["volumeMounts"]}


def test_pods_that_nothing_is_said_of_stay_as_they_were() -> None:
    for name, template in of_components(render(REGISTRY)).items():
        assert not {"nodeSelector", "tolerations", "affinity", "priorityClassName"} & set(template["spec"]), name
        assert ("topologySpreadConstraints" in template["spec"]) == (name == "api")


def test_fields_of_a_pool_may_stand_beside_its_pod() -> None:
    pool = {**POOL, "tolerations": [{"key": "x"}], "pod": {"tolerations": [{"key": "y"}]}}
    template = of_components(render(merged(REGISTRY, {"workerPools": [pool]})))["worker-cpu"]
    assert [each["key"] for each in template["spec"]["tolerations"]] == ["y", "x"]


def test_our_programs_trust_the_given_roots_and_go_through_the_proxy() -> None:
    given = merged(
        REGISTRY,
        {
            "certificates": {"configMap": "roots"},
            "proxy": {"url": "http://proxy.example.org:3128", "without": ["10.0.0.0/8"]},
        },
    )
    seen = 0
    for where, pod, container in containers(render(given)):
        variables = {each["name"]: each.get("value") for each in container.get("env", [])}
        if container["name"] in ("postgres", "redis"):
            assert "HTTPS_PROXY" not in variables
            continue
        mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
        assert variables["SSL_CERT_FILE"] == f"{mounts['certificates']}/roots.pem", where
        assert variables["AWS_CA_BUNDLE"] == variables["SSL_CERT_FILE"]
        assert variables["HTTPS_PROXY"] == "http://proxy.example.org:3128"
        assert {".svc", "10.0.0.0/8"} <= set(str(variables["NO_PROXY"]).split(","))
        (volume,) = [each for each in pod["volumes"] if each["name"] == "certificates"]
        assert volume["configMap"] == {"name": "roots", "items": [{"key": "roots.pem", "path": "roots.pem"}]}
        seen += 1
    assert seen >= 8


def keys_named(tree: Any) -> set[str]:
    """The keys of Secrets that a document names."""
    if isinstance(tree, list):
        return set().union(*map(keys_named, tree)) if tree else set()
    if not isinstance(tree, dict):
        return set()
    found = keys_named(list(tree.values()))
    if "secretKeyRef" in tree:
        found.add(tree["secretKeyRef"]["key"])
    if set(tree) == {"key", "path"}:
        found.add(tree["key"])
    return found


def test_the_secret_s_keys_may_have_other_names() -> None:
    names = ("postgres-password", "redis-password", "flower-password", "bootstrap-key", "s3-access-key-id")
    renamed = {name: f"X.{name}" for name in names}
    documents = render(merged(values(CHART / "ci/gpu-values.yaml"), {"secrets": {"keys": renamed}}))
    found = keys_named(documents)
    assert not found & set(names)
    assert {"X.bootstrap-key", "X.s3-access-key-id"} <= found
    paths = [
        item
        for _, pod in pods(documents)
        for volume in pod.get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    ]
    assert {"key": "X.bootstrap-key", "path": "bootstrap-key"} in paths  # our programs find it as before
    (keda,) = [each for each in documents if each["kind"] == "TriggerAuthentication"]
    assert keda["spec"]["secretTargetRef"][0]["key"] == "X.bootstrap-key"


def test_pods_start_again_when_the_secret_is_said_to_have_changed() -> None:
    before = of_components(render(REGISTRY))["api"]["metadata"]["annotations"]
    after = of_components(render(merged(REGISTRY, {"secrets": {"revision": "2"}})))["api"]["metadata"]["annotations"]
    assert after == {**before, "stemsvc/host-revision": "2"}


def test_an_image_may_be_held_by_its_digest() -> None:
    digest = f"sha256:{'ab' * 32}"
    found = render(merged(REGISTRY, {"images": {"workerCpu": {"tag": "1.2", "digest": digest}}}))
    images = {container["image"] for _, _, container in containers(found) if container["name"] == "worker"}
    assert images == {f"registry.example.org/music/stemsvc-worker-cpu:1.2@{digest}"}


def test_one_ingress_has_several_hosts_each_with_its_certificate() -> None:
    ingress = {
        "enabled": True,
        "host": "a.example.org",
        "tlsSecret": "a",
        "hosts": [{"host": "b.example.org"}, {"host": "c.example.org", "tlsSecret": "c"}],
    }
    found = one(render(merged(REGISTRY, {"api": {"ingress": ingress}})), "Ingress", "demo-stemsvc")["spec"]
    assert [rule["host"] for rule in found["rules"]] == ["a.example.org", "b.example.org", "c.example.org"]
    assert len({str(rule["http"]) for rule in found["rules"]}) == 1
    assert [(each["hosts"], each["secretName"]) for each in found["tls"]] == [
        (["a.example.org"], "a"),
        (["c.example.org"], "c"),
    ]


def test_the_api_s_service_and_autoscaler_take_what_clouds_ask_for() -> None:
    api = {
        "serviceType": "LoadBalancer",
        "service": {
            "annotations": {"example.org/lb": "internal"},
            "nodePort": 30080,
            "more": {"loadBalancerSourceRanges": ["192.0.2.0/24"]},
        },
        "autoscaling": {
            "enabled": True,
            "maxReplicas": 4,
            "streams": 200,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
        },
    }
    documents = render(merged(REGISTRY, {"api": api}))
    service = one(documents, "Service", "demo-stemsvc-api")
    assert service["metadata"]["annotations"] == {"example.org/lb": "internal"}
    assert service["spec"]["ports"][0]["nodePort"] == 30080
    assert service["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    scaler = one(documents, "HorizontalPodAutoscaler", "demo-stemsvc-api")["spec"]
    assert scaler["metrics"][1]["pods"]["metric"]["name"] == "stemsvc_open_streams"
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 60
    for document in documents:
        kubernetes_validate.validate(document, "1.34", strict=True)


def test_a_pool_has_its_own_budget_and_pace_of_scaling_and_can_be_paused() -> None:
    keda = {"max": 3, "pollingInterval": 5, "stabilization": 60, "fallback": {"failureThreshold": 3, "replicas": 2}}
    pools = [
        {**POOL, "name": "one", "keda": keda, "pdb": {"maxUnavailable": 1}},
        {**POOL, "name": "two", "keda": {"max": 2, "paused": True}},
        {**POOL, "name": "three", "keda": {"max": 2, "pausedReplicas": 0}},
    ]
    documents = render(merged(REGISTRY, {"workerPools": pools, "keda": {"fallback": {"failureThreshold": 9}}}))
    first, second, third = (
        one(documents, "ScaledObject", f"demo-stemsvc-worker-{name}") for name in ("one", "two", "three")
    )
    assert (first["spec"]["pollingInterval"], first["spec"]["fallback"]["replicas"]) == (5, 2)
    assert (
        first["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"][
            "stabilizationWindowSeconds"
        ]
        == 60
    )
    assert "annotations" not in first["metadata"]
    assert second["metadata"]["annotations"] == {"autoscaling.keda.sh/paused": "true"}
    assert (second["spec"]["pollingInterval"], second["spec"]["fallback"]) == (15, {"failureThreshold": 9})
    assert third["metadata"]["annotations"] == {"autoscaling.keda.sh/paused-replicas": "0"}
    budget = one(documents, "PodDisruptionBudget", "demo-stemsvc-worker-one")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"]["app.kubernetes.io/component"] == "worker-one"


def test_keda_may_start_jobs_that_end_by_themselves_in_place_of_pods_that_it_takes_away() -> None:
    pool = {**POOL, "name": "one", "keda": {"jobs": True, "min": 1, "max": 3, "idle": 30, "paused": True}}
    documents = render(merged(REGISTRY, {"workerPools": [pool]}))
    name = "demo-stemsvc-worker-one"
    assert not [each for each in documents if (each["kind"], each["metadata"]["name"]) == ("Deployment", name)]
    scaled = one(documents, "ScaledJob", name)
    assert scaled["metadata"]["annotations"] == {"autoscaling.keda.sh/paused": "true"}
    spec = scaled["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["rollout"]) == (1, 3, {"strategy": "gradual"})
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec["jobTargetRef"]}
    kubernetes_validate.validate(job, "1.34", strict=True)
    pods = spec["jobTargetRef"]["template"]
    env = {each["name"]: each.get("value") for each in pods["spec"]["containers"][0]["env"]}
    assert (pods["spec"]["restartPolicy"], env["STEMSVC_IDLE_EXIT_SECONDS"]) == ("Never", "30")

    deployed = {**POOL, "name": "one", "keda": {"max": 3}}
    as_deployment = render(merged(REGISTRY, {"workerPools": [deployed]}))
    other = one(as_deployment, "Deployment", name)["spec"]["template"]
    assert one(as_deployment, "ScaledObject", name)["spec"]["triggers"] == spec["triggers"]
    assert other["metadata"] == pods["metadata"]
    del pods["spec"]["restartPolicy"]
    container = pods["spec"]["containers"][0]
    container["env"] = [each for each in container["env"] if each["name"] != "STEMSVC_IDLE_EXIT_SECONDS"]
    assert other["spec"] == pods["spec"]


@pytest.mark.parametrize(
    "keda",
    [
        {"jobs": True, "max": 2, "fallback": {"failureThreshold": 1, "replicas": 1}},
        {"jobs": True, "max": 2, "pausedReplicas": 0},
        {"jobs": True, "max": 2, "stabilization": 60},
        {"jobs": True, "max": 2, "cooldown": 60},
        {"max": 2, "idle": 60},
    ],
)
def test_what_keda_does_not_have_for_such_a_pool_is_refused(keda: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError, match="keda"):
        render(merged(REGISTRY, {"workerPools": [{**POOL, "keda": keda}]}))


def test_the_chart_makes_a_volume_for_weights_that_outlives_it() -> None:
    given = {"weights": {"claim": {"create": True, "storageClass": "shared", "size": "9Gi"}}}
    documents = render(merged(REGISTRY, given))
    claim = one(documents, "PersistentVolumeClaim", "demo-stemsvc-weights")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert (claim["spec"]["storageClassName"], claim["spec"]["accessModes"]) == ("shared", ["ReadWriteMany"])
    pod = of_components(documents)["worker-cpu"]["spec"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "weights"]
    assert volume["persistentVolumeClaim"] == {"claimName": "demo-stemsvc-weights"}


def test_helm_test_asks_the_api_and_the_doctor_as_carefully_as_any_pod() -> None:
    found = one(render(REGISTRY), "Pod", "demo-stemsvc-test")
    assert found["metadata"]["annotations"]["helm.sh/hook"] == "test"
    spec = found["spec"]
    assert (spec["restartPolicy"], spec["securityContext"]["runAsNonRoot"]) == ("Never", True)
    (answers,), (doctor,) = spec["initContainers"], spec["containers"]
    assert answers["args"] == ["http://demo-stemsvc-api/healthz/ready"]
    assert doctor["args"] == ["doctor", "--quick"]
    for container in (answers, doctor):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["resources"]["limits"]["memory"]


REFUSED: tuple[tuple[Document, str], ...] = (
    ({"pod": {"colour": "red"}}, "colour"),
    ({"pod": {"labels": {"app.kubernetes.io/name": "x"}}}, "app.kubernetes.io/name"),
    ({"pod": {"topologySpreadConstraints": [{"maxSkew": 1}]}}, "topologySpreadConstraints"),
    ({"api": {"pod": {"extraEnv": [{"name": "STEMSVC_API_PROCESSES", "value": "9"}]}}}, "api.pod: extraEnv"),
    ({"dispatcher": {"pod": {"extraVolumeMounts": [{"name": "x", "mountPath": "/x"}]}}}, "no volume is called x"),
    ({"fetcher": {"pod": {"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}}}, "fetcher.pod: extraVolumes"),
    ({"secrets": {"keys": {"colour": "red"}}}, "colour"),
    ({"images": {"api": {"digest": "abc"}}}, "digest"),
    ({"proxy": {"url": "http://user:password@proxy:3128"}}, "proxy"),
    ({"api": {"service": {"more": {"selector": {}}}}}, "selector"),
)


@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_what_can_not_be_is_refused(given: Document, said: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(said)):
        render(merged(REGISTRY, given))
