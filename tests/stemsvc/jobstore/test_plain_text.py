"""What strangers' files and pages put into a job's row can be written, and read, on both databases."""

from __future__ import annotations

import math

from stemsvc.jobstore import JobStore
from stemsvc.jobstore.listing import Filter
from stemsvc.jobstore.plain_text import plain, plain_json
from tests.stemsvc.jobstore.racing import new_job, put, taken

BAD = "a\0b\ud800c"
GOOD = "a\ufffdb\ufffdc"


def test_what_can_be_kept_is_kept() -> None:
    assert plain("é\U0001f600\\u0000") == "é\U0001f600\\u0000"
    assert plain_json({"a": "\\u0000 NaN é\U0001f600"}) == '{"a": "\\\\u0000 NaN \\u00e9\\ud83d\\ude00"}'
    assert (
        plain_json({"a\0": [BAD, (math.inf, 1.5, math.nan)]})
        == '{"a\\ufffd": ["a\\ufffdb\\ufffdc", [null, 1.5, null]]}'
    )


def test_a_job_fails_whatever_its_detail_quotes(store: JobStore) -> None:
    job = put(store, new_job(webhook_url="https://example.org/hook"))
    assert store.leases.fail(taken(store, job), "not_audio", BAD)

    view = store.view(job.id)
    assert view is not None
    assert (view.job.error_detail, view.timeline[-1].why) == (GOOD, f"not_audio: {GOOD}")
    (delivery,) = store.webhooks.take(1)
    assert store.webhooks.failed(delivery, BAD, 1.0)
    assert [each.detail for each in store.webhooks.recent()] == [GOOD]


def test_a_job_succeeds_whatever_was_found_in_its_file(store: JobStore) -> None:
    job = put(store, new_job())
    found = {"codec": BAD, "loudness": -math.inf, BAD: [math.nan]}
    assert store.leases.succeed(taken(store, job), found, {"vocals": {"key": "k", **found}}, facts=found)

    kept = store.get(job.id)
    assert kept is not None
    assert kept.facts == {"codec": GOOD, "loudness": None, GOOD: [None]}
    assert [each.id for each in store.page(Filter(model="demo"), 10).jobs] == [job.id]
