"""The network policies let through what is needed, and nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest
from chart import CHART, REGISTRY, SHAPES, Document, merged, render, shape_name, values
from policies import Place, Policies

from stemsvc.control.networks import SPECIAL, is_public

PUBLIC = Place("93.184.215.14")
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
]
PRIVATE = ["10.0.0.1", "10.96.0.1", "172.16.3.4", "192.168.1.1", "100.64.1.1", "127.0.0.1", "::1", "fd12::1", "fe80::1"]
KUBE_DNS = Place(namespace="kube-system", labels={"k8s-app": "kube-dns"})
STRICT = CHART / "ci" / "strict-values.yaml"


def policies(given: Document | None = None) -> Policies:
    return Policies(render(merged(REGISTRY, given or {})))


def edges() -> Iterator[str]:
    """The first and last address of each special network, and their neighbours."""
    for text in SPECIAL:
        network = ipaddress.ip_network(text)
        for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
            if 0 <= number < 2**network.max_prefixlen:
                yield str(type(network[0])(number))


@pytest.mark.parametrize("shape", SHAPES, ids=shape_name)
def test_nothing_in_the_namespace_is_open_to_everybody(shape: object) -> None:
    found = Policies(render(values(shape)))  # type: ignore[arg-type]
    stranger = Place(namespace="other", labels={"app": "stranger"})
    for component, pod in found._pods.items():
        for port in (22, 5432, 5555, 6379, 8080, 9090):
            assert not found.let(stranger, pod, port), component
            assert not found.let(PUBLIC, pod, port), component


def test_a_fetcher_reaches_the_addresses_that_the_guard_lets_links_have() -> None:
    found = policies()
    fetcher = found.pod("fetcher")
    for address in [
        *edges(),
        *METADATA,
        *PRIVATE,
        "1.1.1.1",
        "8.8.8.8",
        "2606:4700::1111",
        "64:ff9b::8.8.8.8",
        "64:ff9b::10.0.0.1",
    ]:
        given = str(ipaddress.ip_address(address))
        assert found.let(fetcher, Place(given), 443) == is_public(ipaddress.ip_address(given)), given


def test_the_cluster_s_own_public_ranges_are_not_for_links_and_those_that_a_setting_allows_are() -> None:
    found = Policies(render(values(STRICT)))
    fetcher = found.pod("fetcher")
    for address in ("11.1.2.3", "2a00:1::5", "64:ff9b::b01:203", *METADATA):
        assert not found.let(fetcher, Place(address), 443), address
    assert found.let(fetcher, Place("10.9.8.7"), 8000)
    assert found.let(fetcher, Place("10.8.0.1"), 8000)
    assert not found.let(fetcher, Place("10.8.0.2"), 8000)
    assert found.let(fetcher, PUBLIC, 8000)


# --- who needs what


def test_each_component_reaches_what_it_needs_and_no_more() -> None:
    found = Policies(render(values(STRICT)))
    bucket = Place(namespace="storage", labels={"app": "minio"})
    collector = Place(namespace="monitoring", labels={"app": "collector"})
    everything = {"postgres", "redis", "bucket", "collector", "dns"}
    allowed = {
        "api": everything,
        "dispatcher": everything,
        "worker-100": everything,
        "fetcher": {*everything, "internet"},
        "flower": {"redis", "dns"},
        "postgres": set(),
        "redis": set(),
    }
    for component, expected in allowed.items():
        pod = found.pod(component)
        reached = {
            "postgres": found.let(pod, found.pod("postgres"), 5432),
            "redis": found.let(pod, found.pod("redis"), 6379),
            "bucket": found.let(pod, bucket, 9000),
            "collector": found.let(pod, collector, 4318),
            "dns": found.let(pod, KUBE_DNS, 53, "UDP"),
            "internet": found.let(pod, PUBLIC, 443),
        }
        assert {name for name, is_so in reached.items() if is_so} == expected, component
        for other in found._pods.values():  # of our own pods, none listens to another but store and broker
            for port in (8080, 9090, 5555):
                assert not found.let(pod, other, port), component


def test_workers_fetch_weights_unless_they_are_offline() -> None:
    for offline in (False, True):
        found = policies({"settings": {"STEMSVC_OFFLINE": offline}, "storage": {"endpointUrl": "http://10.0.0.9:9000"}})
        assert found.let(found.pod("worker-cpu"), PUBLIC, 443) != offline
        assert not found.let(found.pod("worker-cpu"), PUBLIC, 80)
        assert not found.let(found.pod("worker-cpu"), Place("10.0.0.1"), 443)


@pytest.mark.parametrize(
    ("url", "place", "port"),
    [
        ("", Place("52.216.1.1"), 443),
        ("https://account.r2.cloudflarestorage.com", Place("104.18.1.1"), 443),
        ("https://s3.example.org:8443", PUBLIC, 8443),
        ("http://10.1.2.3:9000", Place("10.1.2.3"), 9000),
        ("https://[fd12::3]", Place("fd12::3"), 443),
        ("http://minio:9000", Place(labels={"app": "minio"}), 9000),
        ("http://minio.storage", Place(namespace="storage", labels={"app": "minio"}), 9000),
        ("http://minio.storage.svc", Place(namespace="storage", labels={"app": "minio"}), 9000),
        ("http://minio.storage.svc.cluster.local:80", Place(namespace="storage", labels={"app": "minio"}), 9000),
    ],
)
def test_the_bucket_is_reached_where_its_url_says(url: str, place: Place, port: int) -> None:
    found = policies({"storage": {"endpointUrl": url}})
    for component in ("api", "dispatcher", "fetcher", "worker-cpu"):
        assert found.let(found.pod(component), place, port), component
        assert not found.let(found.pod(component), Place("10.96.0.1"), 443), component
        assert not found.let(found.pod(component), Place(namespace="kube-system", labels={"app": "api"}), 6443)
    assert not found.let(found.pod("flower"), place, port)


def test_services_outside_are_reached_where_the_values_say() -> None:
    found = Policies(render(values(CHART / "ci" / "external-services-values.yaml")))
    broker = Place(namespace="rabbitmq", labels={"app": "rabbitmq"})
    for component in ("api", "dispatcher", "fetcher", "worker-cpu"):
        pod = found.pod(component)
        assert found.let(pod, Place("10.40.0.5"), 5432), component
        assert found.let(pod, broker, 5672), component
        assert not found.let(pod, Place("10.41.0.5"), 5432), component
        assert not found.let(pod, broker, 15672), component


def test_credentials_of_the_bucket_are_asked_for_but_never_by_who_opens_links() -> None:
    found = Policies(render(values(CHART / "ci" / "external-services-values.yaml")))
    for component, may in (("api", True), ("worker-cpu", True), ("dispatcher", True), ("fetcher", False)):
        assert found.let(found.pod(component), Place("169.254.170.23"), 80) == may, component
    with_keys = policies()
    assert not with_keys.let(with_keys.pod("api"), Place("169.254.169.254"), 80)


# --- who may come in


@pytest.mark.parametrize(
    ("ingress", "monitoring"), [([], []), (["a"], []), ([], ["b"]), (["a"], ["b"]), (["a"], ["a"])]
)
def test_only_the_named_namespaces_come_in(ingress: list[str], monitoring: list[str]) -> None:
    found = policies({"networkPolicy": {"ingressNamespaces": ingress, "monitoringNamespaces": monitoring}})
    for namespace in ("a", "b", "c", "music"):
        source = Place(namespace=namespace, labels={"app": "any"})
        front, watch = namespace in ingress, namespace in monitoring
        assert found.let(source, found.pod("api"), 8080) == (front or watch)
        assert found.let(source, found.pod("flower"), 5555) == front
        for component in ("api", "dispatcher", "fetcher", "worker-cpu"):
            assert found.let(source, found.pod(component), 9090) == watch, component
        for component, port in (("postgres", 5432), ("redis", 6379)):
            assert not found.let(source, found.pod(component), port)


def test_a_controller_without_a_namespace_comes_in_by_its_addresses() -> None:
    found = Policies(render(values(STRICT)))
    assert found.let(Place("192.0.2.7"), found.pod("api"), 8080)
    assert not found.let(Place("192.0.3.7"), found.pod("api"), 8080)


def test_the_policies_can_be_left_to_others() -> None:
    off = policies({"networkPolicy": {"enabled": False}})
    assert off.let(PUBLIC, off.pod("api"), 8080)
    inside_only = policies({"networkPolicy": {"egress": {"enabled": False}}})
    assert inside_only.let(inside_only.pod("fetcher"), Place("10.0.0.1"), 80)
    assert not inside_only.let(PUBLIC, inside_only.pod("api"), 8080)
