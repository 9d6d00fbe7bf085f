"""Each fault on real processes: every accepted job ends once, and ends right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import crowding, killing, severing, starving
from tests.faults.conftest import Row
from tests.faults.stage import Stage

# A fault returns the seconds until the jobs that it hit had ended: from its injection, or from its end if it lasts.
Fault = Callable[[Stage], float]

# Faults by their numbers in docs/reliability.md. Some have several forms.
FAULTS: dict[str, Fault] = {
    f"{number} {fault.__name__.replace('_', ' ')}": fault
    for number, fault in (
        (1, killing.kill_a_pool_child),
        (2, killing.kill_a_whole_worker),
        (3, killing.kill_a_quarter_of_the_workers_again_and_again),
        (4, severing.restart_the_broker_in_mid_job),
        (4, severing.restart_the_broker_while_idle),
        (4, severing.send_many_jobs_while_the_broker_is_down),
        (5, severing.wipe_the_broker_with_jobs_queued),
        (6, severing.drop_every_connection),
        (7, severing.deliver_a_message_again_while_its_job_runs),
        (8, killing.stop_a_worker_past_its_lease),
        (9, killing.tell_a_worker_to_stop_in_a_short_and_in_a_long_job),
        (9, killing.restart_each_part_in_turn_under_load),
        (10, starving.take_the_storage_down),
        (10, starving.have_the_storage_answer_503),
        (10, starving.slow_the_storage_down),
        (10, starving.reset_uploads_in_the_middle),
        (11, starving.fill_the_scratch_disk),
        (12, starving.take_the_database_away_at_commit),
        (12, starving.lose_the_answer_to_an_acceptance),
        (12, starving.lose_the_answer_to_a_commit),
        (13, killing.cancel_then_restart_everything),
        (14, crowding.send_hostile_files),
        (15, severing.leave_the_broker_no_memory),
        (16, crowding.send_ten_times_what_the_queue_holds),
        (17, crowding.send_one_request_fifty_times),
        (18, killing.send_a_file_that_kills_its_worker_each_time),
        (19, killing.kill_the_api_and_the_dispatcher),
    )
}


# `make test` has time only for these. `make faults` runs the others, and all of them on RabbitMQ.
QUICK = (
    killing.kill_a_pool_child,
    crowding.send_one_request_fifty_times,
)


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=[] if fault in QUICK else [pytest.mark.long]) for name, fault in FAULTS.items()]
)
def test_no_job_is_lost_doubled_or_wrong(stage: Stage, fault: str, runs: int, row: Row) -> None:
    if FAULTS[fault] is starving.fill_the_scratch_disk and not stage.limited:
        pytest.skip("only root can mount a small disk")
    if "lose_the_answer" in FAULTS[fault].__name__ and not stage.answers:
        pytest.skip("each process runs SQLite itself, so no answer can be lost")
    for _ in range(runs):
        stage.expected.clear()
        stage.injected = 0
        try:
            row.recovery.append(FAULTS[fault](stage))
        finally:
            row.runs += 1
            row.faults += stage.injected
            row.accepted += len(stage.expected)
            stage.heal()
        findings = stage.inspect()
        row.lost += len(findings.lost)
        row.doubled += len(findings.doubled)
        row.wrong += len(findings.wrong)
        assert (findings.lost, findings.doubled, findings.wrong) == ([], [], [])
