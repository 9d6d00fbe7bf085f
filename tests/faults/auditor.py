"""Finds out what became of every errand that clients ran, from tables, objects, scratch, downloads and webhooks.

Like the reader it uses none of the product's code: a fault in that code must not hide itself.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.reader import ENDED, Expectation, Reader
from tests.faults.world import Told

DRAFTS = (".part-", ".partial")  # of our folder of objects, and of rclone
# what a killed rclone had received in part, in its own folder: no client of an S3 server that lives sees such a thing
RCLONES = ".rclone_temp_put_"


@dataclass
class Errand:
    """One job that a client wants. `id` names it in the job's metadata, so that rows whose answer was lost are found.

    `asked` counts the requests that may each have made a job; those that carry one idempotency key count as one.
    """

    id: str
    way: str  # how it is sent
    ends: str  # its job's end if nobody interferes
    frames: int  # samples per channel of each stem
    hook: bool = False
    asked: int = 0
    job_ids: list[str] = field(default_factory=list)  # of the accepted jobs, in the order of the answers
    canceled: bool = False  # the service said so
    deleted: bool = False
    talk: str = ""  # the conversation whose only confirmed plan makes the job, which has no metadata of the errand's
    unsure: bool = False  # whether it was canceled is not known

    @property
    def states(self) -> set[str]:
        """The ends that its job may have."""
        if self.canceled:
            return {"canceled"}
        return {self.ends, "canceled"} if self.unsure else {self.ends}


@dataclass
class Account:
    """What is wrong, each entry in words."""

    lost: list[str] = field(default_factory=list)  # accepted, but no row
    doubled: list[str] = field(default_factory=list)  # two jobs of one request, or two ends of one job
    stuck: list[str] = field(default_factory=list)  # no end
    wrong: list[str] = field(default_factory=list)  # a wrong end, wrong stems, a wrong answer
    left: list[str] = field(default_factory=list)  # objects, drafts and scratch that nothing uses
    silent: list[str] = field(default_factory=list)  # webhooks that never came
    misled: list[str] = field(default_factory=list)  # webhooks that were not so

    def all(self) -> list[str]:
        """Every entry, with its heading."""
        return [f"{name}: {entry}" for name, entries in vars(self).items() for entry in entries]

    def counts(self) -> list[int]:
        """How many of each."""
        return [len(entries) for entries in vars(self).values()]


@dataclass(frozen=True)
class Auditor:
    """Reads a stage's results by its `reader`; `scratch` is the folder of the running jobs' files."""

    reader: Reader
    scratch: Path

    def at_rest(self) -> bool:
        """Whether every job and every webhook has ended."""
        with self.reader.tables() as ask:
            live = ask("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")
            due = ask("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'")
        return int(live[0][0]) + int(due[0][0]) == 0

    def scratch_left(self) -> list[str]:
        """What lies on the scratch disk."""
        return sorted(path.name for path in self.scratch.iterdir())

    def audit(self, errands: Sequence[Errand], told: Iterable[Told]) -> Account:
        """Check every errand, every row, every object and every webhook."""
        account = Account()
        rows = self._rows()
        by_errand: dict[str, list[str]] = defaultdict(list)
        plans = self._plans(errands, account)
        for job_id, row in rows.items():
            said = row["options"].get("metadata", {}).get("errand")
            by_errand[str(plans.get(row["workflow_id"], said))].append(job_id)
        known = {errand.id: errand for errand in errands}
        for name, job_ids in by_errand.items():
            if name not in known:
                account.wrong += [f"job {job_id} is nobody's" for job_id in job_ids]
        for errand in errands:
            self._check_number(errand, by_errand[errand.id], rows, account)
            for job_id in by_errand[errand.id]:
                self._check_job(errand, job_id, rows[job_id], account)
        self._check_objects(rows, account)
        account.left += [f"scratch {name}" for name in self.scratch_left()]
        self._check_webhooks(errands, by_errand, rows, told, account)
        return account

    def _plans(self, errands: Sequence[Errand], account: Account) -> dict[str, str]:
        """The workflows that conversations made, each with its errand: one for each conversation."""
        with self.reader.tables() as ask:
            found = ask("SELECT id, options FROM workflows")
        made: dict[str, list[str]] = defaultdict(list)  # by conversation
        for workflow_id, options in found:
            told = json.loads(options) if isinstance(options, str) else options
            if talk := told.get("metadata", {}).get("conversation_id"):
                made[talk].append(workflow_id)
        plans: dict[str, str] = {}
        for errand in (each for each in errands if each.talk):
            own = made.pop(errand.talk, [])
            plans |= dict.fromkeys(own, errand.id)
            if len(own) > 1:
                account.doubled.append(f"{len(own)} workflows of one confirmed plan ({errand.way})")
            if not own:
                account.lost.append(f"the confirmed plan of {errand.talk} ({errand.way})")
        account.wrong += [f"workflow {each} is nobody's" for of in made.values() for each in of]
        return plans

    def _rows(self) -> dict[str, dict[str, Any]]:
        names = ["id", "state", "options", "inputs", "outputs", "previews", "manifest_key", "input_name"]
        names += ["cached", "error_code", "owner", "workflow_id"]
        with self.reader.tables() as ask:
            found = [dict(zip(names, row, strict=True)) for row in ask(f"SELECT {', '.join(names)} FROM jobs")]
            ends = ask("SELECT job_id, to_state FROM job_events")
        for row in found:
            row["ends"] = []
            for name in ("options", "outputs", "inputs", "previews"):
                row[name] = json.loads(row[name]) if isinstance(row[name], str) else row[name]
        rows = {str(row["id"]): row for row in found}
        for job_id, state in ends:
            if state in ENDED:
                rows[job_id]["ends"].append(state)
        return rows

    def _check_number(
        self, errand: Errand, found: list[str], rows: dict[str, dict[str, Any]], account: Account
    ) -> None:
        if errand.deleted:
            account.wrong += [f"{each} was deleted and is there" for each in errand.job_ids if each in rows]
        else:
            account.lost += [f"{each} ({errand.way})" for each in errand.job_ids if each not in rows]
        more = len(set(found) | set(errand.job_ids))
        if more > max(errand.asked, 1):
            account.doubled.append(f"{more} jobs of {errand.asked} requests ({errand.way})")

    def _check_job(self, errand: Errand, job_id: str, row: dict[str, Any], account: Account) -> None:
        what = f"{job_id} ({errand.way}) is {row['state']} {row['error_code'] or ''}"
        if row["state"] not in ENDED:
            account.stuck.append(what)
            return
        if len(row["ends"]) != 1:
            account.doubled.append(f"{what}: its ends are {row['ends']}")
        answered = job_id in errand.job_ids
        if row["state"] not in (errand.states if answered else {errand.ends}):
            account.wrong.append(f"{what}, not {' or '.join(sorted(errand.states))}")
        if row["state"] == "succeeded":
            keys = _keys(row)
            if missing := keys - self.reader.stored(f"jobs/{job_id}"):
                account.wrong.append(f"{what}, but without {sorted(missing)}")
            elif not self.reader.ended_well(job_id, row["state"], Expectation("succeeded", errand.frames)):
                account.wrong.append(f"{what}, but its stems are not right")

    def _check_objects(self, rows: dict[str, dict[str, Any]], account: Account) -> None:
        with self.reader.tables() as ask:
            uploads = {upload_id for (upload_id,) in ask("SELECT id FROM uploads")}
        root = self.reader.objects
        for path in sorted(each for each in root.rglob("*") if each.is_file()):
            key = str(path.relative_to(root))
            area, owner, *_ = (*key.split("/"), "")
            if path.name.startswith(RCLONES):
                continue
            if path.name.startswith(DRAFTS) or path.name.endswith(DRAFTS):
                account.left.append(f"draft {key}")
            elif area == "uploads":
                account.left += [f"object {key}: no such upload"] if owner not in uploads else []
            elif owner not in rows:
                account.left.append(f"object {key}: no such job")
            elif key not in _keys(rows[owner]) and rows[owner]["state"] in ENDED:
                account.left.append(f"object {key}: its {rows[owner]['state']} job has no use for it")

    def _check_webhooks(
        self,
        errands: Sequence[Errand],
        by_errand: dict[str, list[str]],
        rows: dict[str, dict[str, Any]],
        told: Iterable[Told],
        account: Account,
    ) -> None:
        with self.reader.tables() as ask:
            secrets = [secret for (secret,) in ask("SELECT secret FROM webhook_secrets")]
        came: dict[str, set[tuple[str, str]]] = defaultdict(set)  # job -> ids and types
        owners = {job_id: errand for errand in errands for job_id in errand.job_ids}
        owners |= {job_id: errand for errand in errands for job_id in by_errand[errand.id]}
        for each in told:
            body = _read(each, secrets, account.misled.append)
            if body is None:
                continue
            job, kind = body["data"], body["type"]
            came[job["id"]].add((each.headers["webhook-id"], kind))
            errand = owners.get(job["id"])
            if errand is None:
                if job["metadata"].get("errand") not in {errand.id for errand in errands}:
                    account.misled.append(f"{kind} of job {job['id']}, which is nobody's")
            elif why := _misleads(kind, job, errand, rows.get(job["id"])):
                account.misled.append(f"{kind} of {job['id']} ({errand.way}): {why}")
        for job_id, errand in owners.items():
            ends = {(name, kind) for name, kind in came[job_id] if kind != "job.progress"}
            if errand.hook and job_id in rows and not ends:
                account.silent.append(f"{job_id} ({errand.way})")
            if len(ends) > 1:
                account.misled.append(f"{job_id} ({errand.way}): {len(ends)} different webhooks of its end")


def _keys(row: dict[str, Any]) -> set[str]:
    """The objects that an ended job's row names. A canceled job keeps the track that came with it, for a retry."""
    manifest = {row["manifest_key"]} if row["manifest_key"] else set()
    files = [*row["outputs"].values(), *(row["previews"] or {}).values()]
    return {each["key"] for each in files} | manifest | _kept(row)


def _kept(row: dict[str, Any]) -> set[str]:
    if row["state"] != "canceled":
        return set()
    return {each["key"] for each in row["inputs"] or [] if not each.get("url") and not each.get("upload_id")}


def _read(told: Told, secrets: Sequence[str], complain: Callable[[str], None]) -> dict[str, Any] | None:
    """The body of a webhook whose signature is right (https://www.standardwebhooks.com, "Verifying signatures")."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    name, moment, signatures = (told.headers.get(each, "") for each in names)
    text = f"{name}.{moment}.".encode() + told.body
    right = {
        "v1," + base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), text, "sha256")).decode()
        for secret in secrets
    }
    if not right & set(signatures.split(" ")):
        complain(f"{name}: wrong signature")
        return None
    if not moment.isdigit() or abs(int(moment) - told.at) > 300:  # what the convention has receivers tolerate
        complain(f"{name}: its time is {moment}")
    try:
        body: dict[str, Any] = json.loads(told.body)
        _ = body["type"], body["timestamp"], body["data"]["id"], body["data"]["metadata"]
    except (ValueError, KeyError, TypeError) as error:
        complain(f"{name}: {type(error).__name__} in its body")
        return None
    return body


def _misleads(kind: str, job: dict[str, Any], errand: Errand, row: dict[str, Any] | None) -> str:
    """What a webhook says that is not so; empty where all of it is true."""
    if job["metadata"].get("errand") != errand.id:
        return "another errand's metadata"
    if kind == "job.progress":
        return ""
    if kind != f"job.{job['state']}":
        return f"its state is {job['state']}"
    if row is None:  # deleted since
        return ""
    if job["state"] != row["state"] or (job["error"] or {}).get("code") != row["error_code"]:
        return f"the row says {row['state']} {row['error_code'] or ''}"
    said = {name: (file["sha256"], file["bytes"]) for name, file in job["files"].items()}
    stored = {name: (output["sha256"], output["bytes"]) for name, output in row["outputs"].items()}
    return "" if said == stored else f"its files are {said}, the row's {stored}"
