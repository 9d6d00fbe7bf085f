"""What Kubernetes' API server refuses of objects that its schema lets pass, in words of ours.

Sources: `ValidateDeployment` and its kin in kubernetes/pkg/apis/*/validation, and for lists that server-side apply
merges, their keys (`listMapKeys` of the API).
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

from chart import Document, pods

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123
SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1035
SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
KEY = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
IMAGE = re.compile(r"([a-z0-9.-]+(:\d+)?/)?[a-z0-9._-]+(/[a-z0-9._-]+)*(:[\w.-]{1,128})?(@sha256:[0-9a-f]{64})?")
QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
UNITS = {"m": Fraction(1, 1000), **{unit: Fraction(1000) ** n for n, unit in enumerate("kMGTPE", 1)}} | {
    f"{unit}i": Fraction(1024) ** n for n, unit in enumerate("KMGTPE", 1)
}
HANDLERS = {"exec", "httpGet", "tcpSocket", "grpc"}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# A StatefulSet labels its pods with its name and a hash of 10 signs.
LONGEST = {"StatefulSet": 52}


def refusals(documents: list[Document]) -> list[str]:
    """Why the API server would refuse some of these, or how they would miss each other; empty if it takes them all."""
    found = list(_twice("object", [(each["kind"], each["metadata"]["name"]) for each in documents]))
    for document in documents:
        where = f"{document['kind']} {document['metadata']['name']}"
        found += [
            f"{where}: {why}"
            for why in chain(_metadata(document), _CHECKS.get(document["kind"], _none)(document, documents))
        ]
    for document, pod in pods(documents):
        where = f"{document['kind']} {document['metadata']['name']}"
        found += [f"{where}: {why}" for why in chain(_template(document), _pod(document, pod))]
    return found


def quantity(text: Any) -> Fraction | None:
    """The number that a quantity such as `512Mi` is; None if it is none."""
    match = QUANTITY.fullmatch(str(text))
    return Fraction(match[1]) * UNITS.get(match[2] or "", Fraction(1)) if match else None


def _none(document: Document, documents: list[Document]) -> Iterator[str]:
    return iter(())


def _twice(what: str, names: Iterable[Any]) -> Iterator[str]:
    return (f"{what} {name} is there {count} times" for name, count in Counter(names).items() if count > 1)


def _metadata(document: Document) -> Iterator[str]:
    name, metadata = document["metadata"]["name"], document["metadata"]
    pattern = SERVICE if document["kind"] == "Service" else LABEL
    if not isinstance(name, str) or not pattern.fullmatch(name) or len(name) > LONGEST.get(document["kind"], 63):
        yield f"the name {name!r}"
    yield from _labels(metadata.get("labels", {}))
    yield from _annotations(metadata.get("annotations", {}))


def _labels(labels: Document) -> Iterator[str]:
    for key, value in labels.items():
        if not KEY.fullmatch(key) or not isinstance(value, str) or not VALUE.fullmatch(value):
            yield f"the label {key}: {value!r}"


def _annotations(annotations: Document) -> Iterator[str]:
    for key, value in annotations.items():
        if not KEY.fullmatch(key.lower()) or not isinstance(value, str):
            yield f"the annotation {key}: {value!r}"


def _template(document: Document) -> Iterator[str]:
    spec = document["spec"]
    metadata = spec["template"]["metadata"]
    yield from _labels(metadata["labels"])
    yield from _annotations(metadata.get("annotations", {}))
    selected = spec.get("selector", {}).get("matchLabels", {})
    if document["kind"] != "Job" and (not selected or not selected.items() <= metadata["labels"].items()):
        yield "the selector does not match the pods' labels"
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    if rolling and not rolling.get("maxUnavailable", 1) and not rolling.get("maxSurge", 1):
        yield "neither maxUnavailable nor maxSurge"


def _pod(document: Document, pod: Document) -> Iterator[str]:
    every = [*pod.get("initContainers", []), *pod["containers"]]
    claims = [each["metadata"]["name"] for each in document["spec"].get("volumeClaimTemplates", [])]
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    yield from _twice("volume", [*claims, *volumes])
    yield from _twice("container", [each["name"] for each in every])
    yield from _twice("port", [port["name"] for each in every for port in each.get("ports", []) if "name" in port])
    yield from _twice(
        "port",
        [(port["containerPort"], port.get("protocol", "TCP")) for each in every for port in each.get("ports", [])],
    )
    for volume in pod.get("volumes", []):
        sources = {name for name, value in volume.items() if name != "name" and value is not None}
        if len(sources) != 1:
            yield f"the volume {volume['name']} has the sources {sorted(sources)}"
        if (limit := (volume.get("emptyDir") or {}).get("sizeLimit")) is not None and quantity(limit) is None:
            yield f"the volume {volume['name']} of the size {limit!r}"
    for name in (*claims, *volumes, *(each["name"] for each in every)):
        if not LABEL.fullmatch(str(name)):
            yield f"the name {name!r}"
    for container in every:
        yield from (f"{container['name']}: {why}" for why in _container(container, {*claims, *volumes}))
    for toleration in pod.get("tolerations", []):
        if toleration.get("operator") == "Exists" and toleration.get("value"):
            yield "a toleration with a value that must only exist"
    for name in (pod.get("serviceAccountName"), *(each["name"] for each in pod.get("imagePullSecrets", []))):
        if name is not None and not SUBDOMAIN.fullmatch(str(name)):
            yield f"the name {name!r}"


def _container(container: Document, volumes: set[str]) -> Iterator[str]:
    if not IMAGE.fullmatch(container["image"]):
        yield f"the image {container['image']!r}"
    yield from _environment(container)
    ports = {port["name"] for port in container.get("ports", []) if "name" in port}
    for name in ports:
        if not PORT_NAME.fullmatch(name):
            yield f"the port {name!r}"
    probes = {name: container[name] for name in PROBES if name in container}
    for name, probe in probes.items():
        if len(HANDLERS & set(probe)) != 1:
            yield f"{name} has not one way to look"
        for handler in ("httpGet", "tcpSocket"):
            port = probe.get(handler, {}).get("port", 1)
            if isinstance(port, str) and port not in ports:
                yield f"{name} names the port {port}"
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes:
            yield f"mounts {mount['name']}, which is no volume"
        if not mount["mountPath"].startswith("/") or ":" in mount["mountPath"]:
            yield f"mounts at {mount['mountPath']}"
    yield from _twice("the mount at", [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])])
    yield from _resources(container.get("resources", {}))


def _environment(container: Document) -> Iterator[str]:
    known: set[str] = set()
    for each in container.get("env", []):
        if not VARIABLE.fullmatch(each["name"]):
            yield f"the variable {each['name']!r}"
        if ("value" in each) == ("valueFrom" in each) or len(each.get("valueFrom", {"one": 1})) != 1:
            yield f"the variable {each['name']} has not one source"
        if not isinstance(each.get("value", ""), str):
            yield f"the variable {each['name']} has the value {each['value']!r}"
        if missing := set(re.findall(r"\$\((\w+)\)", str(each.get("value", "")))) - known:
            yield f"the variable {each['name']} takes {missing}, which come later or never"
        known.add(each["name"])
    for text in (*container.get("command", []), *container.get("args", [])):
        if not isinstance(text, str):
            yield f"the argument {text!r}"
        elif missing := set(re.findall(r"\$\((\w+)\)", text)) - known:
            yield f"an argument takes {missing}"
    yield from _twice("the variable", [each["name"] for each in container.get("env", [])])  # server-side apply


def _resources(resources: Document) -> Iterator[str]:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for name, value in chain(requests.items(), limits.items()):
        if quantity(value) is None:
            yield f"{value!r} of {name}"
    for name in set(requests) & set(limits):
        asked, most = quantity(requests[name]), quantity(limits[name])
        if asked is not None and most is not None and asked > most:
            yield f"asks for {requests[name]} of {name}, and may have {limits[name]}"
    for name in (each for each in {*requests, *limits} if "/" in each):  # devices: whole ones, and as many as asked for
        if name not in limits or requests.get(name, limits[name]) != limits[name]:
            yield f"{name} must be limited as it is asked for"


def _service(document: Document, documents: list[Document]) -> Iterator[str]:
    spec = document["spec"]
    yield from _twice("port", [port.get("name") for port in spec["ports"]])
    if not spec.get("selector"):
        yield "no selector"
    selected = [
        each
        for each in documents
        if "template" in each.get("spec", {})
        and spec["selector"].items() <= each["spec"]["template"]["metadata"]["labels"].items()
    ]
    if not selected:
        yield "it selects no pod"
    for each in selected:
        names = {
            port["name"]
            for container in each["spec"]["template"]["spec"]["containers"]
            for port in container.get("ports", [])
        }
        for port in spec["ports"]:
            if isinstance(port["targetPort"], str) and port["targetPort"] not in names:
                yield f"the port {port['targetPort']}, which {each['metadata']['name']} has not"


def _stateful_set(document: Document, documents: list[Document]) -> Iterator[str]:
    services = {each["metadata"]["name"] for each in documents if each["kind"] == "Service"}
    if document["spec"]["serviceName"] not in services:
        yield "no Service of its serviceName"
    for claim in document["spec"].get("volumeClaimTemplates", []):
        if not quantity(claim["spec"]["resources"]["requests"]["storage"]):
            yield "a claim of no size"


def _disruption_budget(document: Document, documents: list[Document]) -> Iterator[str]:
    if len({"minAvailable", "maxUnavailable"} & set(document["spec"])) != 1 or not document["spec"]["selector"]:
        yield "not one bound, or no selector"


def _scaler(document: Document, documents: list[Document]) -> Iterator[str]:
    spec = document["spec"]
    least, most = (spec.get(f"{side}Replicas", spec.get(f"{side}ReplicaCount")) for side in ("min", "max"))
    if not 0 <= least <= most or most < 1:
        yield f"from {least} to {most} pods"
    target = [
        each
        for each in documents
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", spec["scaleTargetRef"]["name"])
    ]
    if not target:
        yield "it scales what is not there"
    for each in target:
        if "replicas" in each["spec"]:
            yield "its Deployment sets the number of pods, too"


def _ingress(document: Document, documents: list[Document]) -> Iterator[str]:
    services = {
        (each["metadata"]["name"], port["name"])
        for each in documents
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    }
    for rule in document["spec"]["rules"]:
        if not SUBDOMAIN.fullmatch(rule["host"].removeprefix("*.")):
            yield f"the host {rule['host']!r}"
        yield from _twice("path", [path["path"] for path in rule["http"]["paths"]])
        for path in rule["http"]["paths"]:
            to = path["backend"]["service"]
            if not path["path"].startswith("/") or (to["name"], to["port"]["name"]) not in services:
                yield f"the path {path['path']}"


def _network_policy(document: Document, documents: list[Document]) -> Iterator[str]:
    spec = document["spec"]
    for side, direction in (("from", "ingress"), ("to", "egress")):
        if direction in spec and direction.capitalize() not in spec["policyTypes"]:
            yield f"{direction} that counts for nothing"
        for rule in spec.get(direction) or []:
            if not rule.get(side):  # which Kubernetes takes: for everybody
                yield f"{direction} {side} everybody"
            for peer in rule.get(side) or []:
                yield from _peer(peer)
            for port in rule.get("ports", []):
                if not 1 <= int(port["port"]) <= 65535:
                    yield f"the port {port['port']}"


def _peer(peer: Document) -> Iterator[str]:
    if not peer or ("ipBlock" in peer and len(peer) > 1):
        yield f"the peer {peer}"
    if block := peer.get("ipBlock"):
        outer = ipaddress.ip_network(block["cidr"])
        for text in block.get("except", []):
            inner = ipaddress.ip_network(text)
            if inner.version != outer.version or inner == outer or not inner.subnet_of(outer):  # type: ignore[arg-type]
                yield f"{text}, which is not within {outer}"


def _config_map(document: Document, documents: list[Document]) -> Iterator[str]:
    for key, value in document["data"].items():
        if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) or not isinstance(value, str):
            yield f"{key}: {value!r}"
    if sum(len(str(value)) for value in document["data"].values()) > 1 << 20:
        yield "more than 1 MiB"


_CHECKS = {
    "Service": _service,
    "StatefulSet": _stateful_set,
    "PodDisruptionBudget": _disruption_budget,
    "HorizontalPodAutoscaler": _scaler,
    "ScaledObject": _scaler,
    "Ingress": _ingress,
    "NetworkPolicy": _network_policy,
    "ConfigMap": _config_map,
}
