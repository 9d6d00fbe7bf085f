"""Words in names, on both databases alike."""

from __future__ import annotations

import pytest

from stemsvc.jobs.record import JobState, input_key, new_job_id
from stemsvc.jobstore import JobStore
from stemsvc.jobstore.listing import Filter
from tests.specs import job_of, spec_of

NAMES = (
    "Über den Wolken [live].mp3",
    "ПЕСНЯ о друге.flac",
    r"50% off \ a^b-c_d (take 2)*?.wav",
    "Straße.ogg",
    "東京.m4a",
)


@pytest.fixture
def names(store: JobStore) -> JobStore:
    for name in NAMES:
        job_id = new_job_id()
        job = job_of(job_id, JobState.QUEUED, spec_of("demo"), "separate.demo.cpu", input_key(job_id), name)
        store.intake.put(job, "accepted")
    return store


def test_words_are_found_in_every_alphabet_and_signs_mean_themselves(names: JobStore) -> None:
    for words, expected in {
        "wolken ÜBER": NAMES[:1],
        "u\u0308ber": NAMES[:1],
        "песня ДРУГЕ": NAMES[1:2],
        "straße": NAMES[3:4],
        "京": NAMES[4:],
        "50%": NAMES[2:3],
        "\\": NAMES[2:3],
        "a^b-c_d": NAMES[2:3],
        "^": NAMES[2:3],
        "-": NAMES[2:3],
        "*": NAMES[2:3],
        "?": NAMES[2:3],
        "(TAKE": NAMES[2:3],
        "2)": NAMES[2:3],
        "[": NAMES[:1],
        "]": NAMES[:1],
        "[live]": NAMES[:1],
        "[a-z]": (),
        ".*": (),
        "a|b": (),
        "$": (),
        "{1}": (),
        "'": (),
        '"': (),
        "live nothing": (),
        "": NAMES,
        " ": NAMES,
        " ".join(["off"] * 100): NAMES[2:3],
    }.items():
        found = [job.name for job in names.page(Filter(words=words), 50).jobs]
        assert sorted(found) == sorted(expected), words
