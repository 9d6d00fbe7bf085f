"""How many workers a day needs: the search, the day that it simulates, and the command."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from stemsvc.cli.main import main
from stemsvc.errors import UnknownModel
from stemsvc.models.catalog import load_catalog
from workers.bench import sizing
from workers.bench.size_command import size as command
from workers.bench.sizing import DAY, Demand, Waits

CATALOG = load_catalog()


def test_the_fewest_workers_keep_waits_short_and_one_less_does_not() -> None:
    demand = Demand(150, 600.0, "htdemucs", peak=3.0)
    found = sizing.size(demand, CATALOG, 1.0, most_wait=120.0)

    arrivals = sizing.a_day(demand)
    seconds = [sizing._cost(each, CATALOG) for each in arrivals]
    assert found.waits.p95 <= 120.0 < sizing._waits(arrivals, seconds, found.workers - 1).p95
    assert found.load == pytest.approx(sum(seconds) / DAY / found.workers)
    assert found.run == 150


def test_the_real_store_has_the_waits_that_the_search_counts_with() -> None:
    arrivals = sizing._busiest(sizing.a_day(Demand(80, 900.0, "htdemucs", peak=4.0)))
    seconds = [sizing._cost(each, CATALOG) for each in arrivals]
    for workers in (1, 3):
        counted, real = sizing._waits(arrivals, seconds, workers), sizing.run(arrivals, CATALOG, 1.0, workers)
        assert (real.p50, real.p95, real.longest) == pytest.approx((counted.p50, counted.p95, counted.longest))


def test_a_faster_device_and_fewer_jobs_need_fewer_workers() -> None:
    def workers(jobs: int, speed: float) -> int:
        return sizing.size(Demand(jobs, 240.0, "htdemucs_ft"), CATALOG, speed, 300.0).workers

    assert workers(100, 0.3) > workers(100, 3.0) >= workers(10, 3.0) == 1


@pytest.mark.parametrize("peak", [1.0, 2.0, 8.0])
def test_a_day_has_its_peak_in_its_middle_and_its_mean_length(peak: float) -> None:
    arrivals = sizing.a_day(Demand(5_000, 240.0, "demo", peak))
    assert sum(each.track_seconds for each in arrivals) / len(arrivals) == pytest.approx(240.0, rel=0.05)
    hour = sum(abs(each.at - DAY / 2) < 1800 for each in arrivals)
    assert hour / (len(arrivals) / 24) == pytest.approx(peak, rel=0.2)
    assert all(0 <= each.at <= DAY for each in arrivals)
    assert arrivals == sizing.a_day(Demand(5_000, 240.0, "demo", peak))


def test_waits_are_told_by_nearest_rank() -> None:
    assert Waits.of([4.0, 1.0, 2.0, 3.0]) == Waits(2.0, 4.0, 4.0)
    assert Waits.of([7.0]) == Waits(7.0, 7.0, 7.0)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["--jobs-per-day", "50", *arguments])


def test_the_command_tells_workers_storage_and_cost() -> None:
    asked = "--minutes 4 --model htdemucs_ft --price 0.5 --keep-days 7 --format wav --json"
    found = json.loads(run(*asked.split()).stdout)
    # 50 jobs of 240 s with four stems of 176.4 kB for a second, for a week
    assert found["stored_gb_per_day"] == pytest.approx(50 * 240 * 4 * 176_400 / 1e9, abs=0.1)
    assert found["stored_gb"] == pytest.approx(7 * found["stored_gb_per_day"], rel=0.01)
    assert found["cost_per_month"] == found["workers"] * 730 * 0.5
    assert found["cost_per_month_computing"] < found["cost_per_month"]
    assert found["memory_mb_per_worker"] == 2 * CATALOG.get("htdemucs_ft").memory_mb
    assert found["wait_seconds"]["p95"] <= 300
    said = run("--minutes", "4", "--keep-days", "0").stdout
    assert "all of it is kept" in said
    assert "cost" not in said


def test_a_plan_of_jobs_a_day_is_the_same_answer() -> None:
    asked = ["--jobs-per-day", "50", "--minutes", "4", "--model", "htdemucs_ft", "--device", "cpu", "--json"]
    plan, size = (CliRunner().invoke(main, [name, *asked]) for name in ("plan", "size"))
    assert plan.exit_code == 0, plan.output
    assert json.loads(plan.stdout) == json.loads(size.stdout)
    assert "workers: 1," in CliRunner().invoke(main, ["plan", "--jobs-per-day=50", "--model", "demo"]).output
    assert "Missing argument" in CliRunner().invoke(main, ["plan"]).output


def test_a_card_needs_a_measured_speed_and_a_model_must_be_known() -> None:
    refused = run("--device", "cuda")
    assert (refused.exit_code, "--speed" in refused.stderr) == (2, True)
    assert "workers: 1," in run("--device", "cuda", "--speed", "40").stdout
    assert isinstance(run("--model", "nothing").exception, UnknownModel)
