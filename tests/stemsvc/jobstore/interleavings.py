"""Runs a state machine of Hypothesis on a real store."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from stemsvc.jobstore import JobStore


def run_on(store: JobStore, machine: type[RuleBasedStateMachine]) -> None:
    """Run 15 sequences of 30 steps, or 5 on PostgreSQL, the same ones each time. `machine` finds `store` in itself."""
    on_store: Any = type(machine.__name__, (machine,), {"store": store})
    run_state_machine_as_test(
        on_store,
        settings=settings(
            max_examples=15 if store._engine.dialect.name == "sqlite" else 5,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
