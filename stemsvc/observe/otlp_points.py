"""Prometheus' metrics as OpenTelemetry has them, under the same names: one dashboard reads either.

Names keep what Prometheus puts behind them (`_total`), as OpenTelemetry's specification says for metrics of Prometheus.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as Made
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

SINCE_START = AggregationTemporality.CUMULATIVE
Labels = tuple[tuple[str, str], ...]


def made_of(families: Iterable[Metric], start: int, now: int) -> Iterator[Made]:
    """The metrics, of counts that began at `start`; both times are in nanoseconds since the epoch."""
    for family in families:
        if family.type == "histogram":
            points = list(_histograms(family, start, now))
            data: Any = Histogram(points, SINCE_START)
            name = family.name
        else:
            counts = family.type == "counter"
            name = f"{family.name}_total" if counts else family.name
            points = [_number(sample, start, now) for sample in family.samples if sample.name == name]
            data = Sum(points, SINCE_START, is_monotonic=True) if counts else Gauge(points)
        if points:
            yield Made(name, family.documentation, _unit(family.name), data)


def _unit(name: str) -> str:
    """The unit by UCUM, which our names end with."""
    return next((unit for word, unit in (("seconds", "s"), ("bytes", "By")) if name.endswith(word)), "1")


def _number(sample: Sample, start: int, now: int) -> Any:
    return NumberDataPoint(dict(sample.labels), start, now, sample.value)


def _histograms(family: Metric, start: int, now: int) -> Iterator[Any]:
    found: dict[Labels, dict[str, Any]] = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        one = found.setdefault(labels, {"up_to": {}})
        if "le" in sample.labels:
            one["up_to"][float(sample.labels["le"])] = sample.value
        else:
            one[sample.name.rpartition("_")[2]] = sample.value
    for labels, one in found.items():
        yield _histogram(dict(labels), one, start, now)


def _histogram(labels: Mapping[str, str], one: Mapping[str, Any], start: int, now: int) -> Any:
    """Prometheus' buckets count all that is below a bound; OpenTelemetry's count what is between two."""
    bounds = sorted(one["up_to"])
    below = [int(one["up_to"][bound]) for bound in bounds]
    counts = [upper - lower for lower, upper in zip([0, *below[:-1]], below, strict=True)]
    finite = [bound for bound in bounds if not math.isinf(bound)]
    unknown: Any = None  # Prometheus keeps neither the least nor the most
    return HistogramDataPoint(
        labels, start, now, sum(counts), float(one.get("sum", 0.0)), counts, finite, unknown, unknown
    )
