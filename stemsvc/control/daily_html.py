"""The report of a day as one HTML page that loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from stemsvc.control.daily import STATES
from stemsvc.control.plots import lines, stacked_bars

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6675; --line: #d8dee6; --page: #fff;
  --c0: #2f7d5b; --c1: #c4453c; --c2: #9a9fa8; --c3: #2f6fb3; --c4: #d29a2b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #333c48; --page: #14181e;
  --c0: #58b68c; --c1: #ee7d74; --c2: #7b828c; --c3: #6fa8e6; --c4: #e5b95a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 2rem auto;
  max-width: 760px; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p, figcaption, .y, .x { color: var(--soft); } dl { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; } figcaption span { margin-left: 1rem; white-space: nowrap; }
i { display: inline-block; width: .7em; height: .7em; margin-right: .35em; border-radius: 2px; }
svg { width: 100%; height: auto; } text { font-size: 11px; fill: var(--soft); } .y { text-anchor: end; }
.x { text-anchor: middle; } .grid { stroke: var(--line); }
.s0 { fill: var(--c0); } .s1 { fill: var(--c1); } .s2 { fill: var(--c2); } .s3 { fill: var(--c3); }
.s4 { fill: var(--c4); } .l0 { stroke: var(--c0); } .l1 { stroke: var(--c1); } .l0, .l1 { stroke-width: 2; }
.k0 { background: var(--c0); } .k1 { background: var(--c1); } .k2 { background: var(--c2); }
.k3 { background: var(--c3); } .k4 { background: var(--c4); }
table { border-collapse: collapse; width: 100%; } th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem;
  text-align: left; overflow-wrap: anywhere; } .n { text-align: right; font-variant-numeric: tabular-nums; }
"""
Cell = str | float | int | None


def daily_page(report: dict[str, Any]) -> str:
    """The page of a report that `daily_report` made."""
    hours = report["hours"]
    labels = [each["at"][11:16] for each in hours]
    jobs = {state: [each["jobs"][state] for each in hours] for state in STATES}
    waiting = {name: [each["waiting"][name] for each in hours] for name in ("p50", "p95")}
    title = f"stemsvc: {report['since'][:16].replace('T', ' ')} to {report['until'][:16].replace('T', ' ')} UTC"
    body = (
        f"<h1>{escape(title)}</h1>",
        _figures(report),
        stacked_bars("Jobs by the hour of their acceptance", labels, jobs),
        lines("Seconds from acceptance to the first attempt", labels, waiting),
        stacked_bars("Hours that devices computed", labels, {"hours": [each["device_hours"] for each in hours]}),
        *_tables(report),
    )
    head = f"<title>{escape(title)}</title><style>{STYLE}</style>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _figures(report: dict[str, Any]) -> str:
    waiting, jobs = report["waiting"], report["jobs"]
    shown: dict[str, Cell] = {
        "jobs": sum(jobs.values()),
        "succeeded": jobs["succeeded"],
        "failed": jobs["failed"],
        "from earlier jobs": report["cached"],
        "waiting, median": _seconds(waiting["p50"]),
        "waiting, 95 %": _seconds(waiting["p95"]),
        "audio": f"{report['audio_hours']:.1f} h",
        "devices": f"{report['device_hours']:.2f} h",
        "cost": f"{report['cost']:.2f} {report['currency']}",
        "stored now": size(report["stored_bytes"]),
    }
    pairs = (f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in shown.items())
    return f"<dl>{''.join(pairs)}</dl>"


def _tables(report: dict[str, Any]) -> Iterable[str]:
    failed = [(each["code"], each["kind"], each["count"], each["last_job"]) for each in report["failures"]]
    yield _table("Failures", ("code", "kind", "jobs", "last job"), failed, "No job failed.")
    keys = [
        (
            each["name"] or each["key"] or "(no key)",
            *(each[name] for name in ("jobs", "failed", "device_hours", "cost")),
            size(each["stored_bytes"]),
        )
        for each in report["keys"]
    ]
    heads = ("key", "jobs", "failed", "device h", report["currency"], "stored now")
    yield _table("Keys that used the most", heads, keys, "No key sent a job.")
    models = [(each["kind"], each["model"] or "none", each["jobs"], each["device_hours"]) for each in report["models"]]
    yield _table("Kinds and models", ("kind", "model", "jobs", "device h"), models, "No job was sent.")


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], empty: str) -> str:
    if not rows:
        return f"<h2>{escape(title)}</h2><p>{escape(empty)}</p>"
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Cell) -> str:
    number = ' class="n"' if isinstance(value, int | float) else ""
    return f"<td{number}>{escape(f'{value:g}' if isinstance(value, float) else str(value))}</td>"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f} s"


def size(count: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
