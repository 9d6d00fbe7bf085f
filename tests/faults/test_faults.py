"""Each fault on real processes: every accepted job ends once, and ends right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults import clocks, conversing, crowding, failing_over, filling, handing_over, killing, severing, starving
from tests.faults.conftest import Row
from tests.faults.stage import DISKS, Stage
from tests.programs import absent

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
        (20, clocks.put_a_hosts_clock_an_hour_ahead),
        (20, clocks.put_a_hosts_clock_an_hour_back),
        (21, filling.fill_the_disk_of_objects),
        (21, filling.fill_the_disk_of_the_database),
        (21, filling.fill_the_disk_of_metrics),
        (22, starving.answer_503_in_the_middle_of_a_multipart_upload),
        (22, starving.stall_in_the_middle_of_a_multipart_upload),
        (23, failing_over.fail_over_to_a_replica_of_the_broker),
        (24, failing_over.restart_the_database_in_mid_job),
        (24, failing_over.fail_over_to_a_standby_of_the_database),
        (25, killing.freeze_a_process_that_holds_the_device),
        (26, handing_over.kill_each_process_while_steps_hand_over),
        (27, conversing.kill_the_api_while_messages_are_said),
        (28, conversing.kill_a_pool_child_while_it_makes_music),
    )
}


# `make test` has time only for this one. `make faults` runs the others, and all of them on RabbitMQ.
QUICK = (crowding.send_one_request_fifty_times,)
# Faults that only one stage can have. Each process runs SQLite itself: it has no answers to lose, no standby, and
# the clock of whoever asks.
ONLY: dict[Fault, str] = {
    starving.lose_the_answer_to_an_acceptance: "rabbitmq",
    starving.lose_the_answer_to_a_commit: "rabbitmq",
    clocks.put_a_hosts_clock_an_hour_ahead: "rabbitmq",
    clocks.put_a_hosts_clock_an_hour_back: "rabbitmq",
    filling.fill_the_disk_of_objects: DISKS,
    filling.fill_the_disk_of_the_database: DISKS,
    filling.fill_the_disk_of_metrics: DISKS,
    failing_over.fail_over_to_a_replica_of_the_broker: "redis",
    failing_over.restart_the_database_in_mid_job: "rabbitmq",
    failing_over.fail_over_to_a_standby_of_the_database: "rabbitmq",
}


def _marks(fault: Fault) -> list[pytest.MarkDecorator]:
    marks = [] if fault in QUICK else [pytest.mark.long]
    return marks + ([pytest.mark.stages(ONLY[fault])] if fault in ONLY else [])


def _need(stage: Stage, fault: Fault) -> None:
    """Skip a fault that this machine can't cause."""
    if (fault is starving.fill_the_scratch_disk or stage.name == DISKS) and not stage.limited:
        pytest.skip("only root can mount a small disk")
    if fault.__module__ == clocks.__name__ and clocks.library() is None:
        absent("libfaketime")  # no clock of a single process can jump


@pytest.mark.parametrize("fault", [pytest.param(name, marks=_marks(fault)) for name, fault in FAULTS.items()])
def test_no_job_is_lost_doubled_or_wrong(stage: Stage, fault: str, runs: int, row: Row) -> None:
    _need(stage, FAULTS[fault])
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
