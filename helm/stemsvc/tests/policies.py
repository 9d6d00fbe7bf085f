"""Who may reach whom by rendered network policies, by the rules of https://kubernetes.io/docs/concepts/services-networking/network-policies."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chart import Document, pods

METADATA_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Place:
    """An address, or a pod by its labels and namespace (a pod has no address here: policies select it by labels)."""

    address: str = ""
    namespace: str = "music"
    labels: dict[str, str] = field(default_factory=dict)


class Policies:
    """The policies of the namespace `music`."""

    def __init__(self, documents: list[Document]) -> None:
        self._all = [each["spec"] for each in documents if each["kind"] == "NetworkPolicy"]
        self._pods = {
            document["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: Place(
                labels=document["spec"]["template"]["metadata"]["labels"]
            )
            for document, _ in pods(documents)
        }

    def pod(self, component: str) -> Place:
        """A pod of that component."""
        return self._pods[component]

    def let(self, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection from `source` to `target` comes to be."""
        return self._side("Egress", "to", source, target, port, protocol) and self._side(
            "Ingress", "from", target, source, port, protocol
        )

    def _side(self, kind: str, side: str, own: Place, other: Place, port: int, protocol: str) -> bool:
        if not own.labels or own.namespace != "music":
            return True
        ours = [spec for spec in self._all if kind in spec["policyTypes"] and selects(spec["podSelector"], own.labels)]
        rules = [rule for spec in ours for rule in spec.get(kind.lower()) or []]
        return not ours or any(_reaches(rule, side, other, port, protocol) for rule in rules)


def selects(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector selects what has these labels; an empty one selects everything."""
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    for each in selector.get("matchExpressions", []):
        assert each["operator"] == "In"
        if labels.get(each["key"]) not in each["values"]:
            return False
    return True


def _reaches(rule: Document, side: str, other: Place, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    if ports and (port, protocol) not in {(each["port"], each.get("protocol", "TCP")) for each in ports}:
        return False
    return not rule.get(side) or any(_is(peer, other) for peer in rule[side])  # without peers: everybody


def _is(peer: Document, other: Place) -> bool:
    if block := peer.get("ipBlock"):
        return (
            bool(other.address)
            and _within(other.address, [block["cidr"]])
            and not _within(other.address, block.get("except", []))
        )
    if other.address:
        return False
    if "namespaceSelector" in peer:
        here = selects(peer["namespaceSelector"], {METADATA_NAME: other.namespace})
    else:
        here = other.namespace == "music"
    return here and selects(peer.get("podSelector", {}), other.labels)


def _within(address: str, networks: Iterable[Any]) -> bool:
    found = ipaddress.ip_address(address)
    return any(found in ipaddress.ip_network(each) for each in networks)
