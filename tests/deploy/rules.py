"""Series of a world in which everything is well, and what each alert's trouble changes in it, for promtool.

Each series has a value a minute, for four hours. What breaks does so after an hour.
"""

from __future__ import annotations

from typing import Any

HOURS = 240
BROKEN_AT = 60
Series = dict[str, str]

HEALTHY: Series = {
    'stemsvc_store_up{instance="a"}': f"1x{HOURS}",
    'stemsvc_schema_missing_revisions{instance="a",namespace="music"}': f"0x{HOURS}",
    'kube_pod_init_container_status_restarts_total{container="migrate",namespace="music",pod="p"}': f"0x{HOURS}",
    'kube_pod_init_container_status_restarts_total{container="migrate",namespace="others",pod="q"}': f"0+1x{HOURS}",
    'stemsvc_sweep_timestamp_seconds{sweep="dispatcher"}': f"0+60x{HOURS}",
    'stemsvc_sweep_timestamp_seconds{sweep="janitor"}': f"0+60x{HOURS}",
    'stemsvc_sweep_interval_seconds{sweep="janitor"}': f"600x{HOURS}",
    'demucs_live_slots{pool="fetch"}': f"4x{HOURS}",
    'demucs_live_slots{pool="cpu"}': f"2x{HOURS}",
    'demucs_live_slots{pool="scaled-to-none"}': f"0x{HOURS}",
    'demucs_queue_depth{pool="cpu",priority="normal"}': f"3x{HOURS}",
    'demucs_queue_depth{pool="scaled-to-none",priority="normal"}': f"0x{HOURS}",
    'demucs_queue_age_seconds{pool="cpu"}': f"5x{HOURS}",
    'demucs_jobs_total{state="succeeded",code=""}': f"0+10x{HOURS}",
    'demucs_jobs_total{state="failed",code="not_audio"}': f"0+5x{HOURS}",
    'demucs_jobs_total{state="failed",code="internal_error"}': f"0x{HOURS}",
    'demucs_jobs_total{state="failed",code="source_broken"}': f"0x{HOURS}",
    'demucs_jobs_total{state="failed",code="device_out_of_memory"}': f"0x{HOURS}",
    "demucs_lease_losses_total": f"0x{HOURS}",
    'demucs_retries_total{code="storage_unavailable"}': f"0x{HOURS}",
    'demucs_retries_total{code="scratch_full"}': f"0x{HOURS}",
    'demucs_retries_total{code="device_out_of_memory"}': f"0x{HOURS}",
    'demucs_device_free_memory_bytes{pool="gpu",worker="w",device="cuda:0"}': f"8000000000x{HOURS}",
    'demucs_device_free_memory_bytes{pool="cpu",worker="v",device="cpu"}': f"1000000x{HOURS}",
    'stemsvc_storage_seconds_count{operation="put",outcome="ok"}': f"0+100x{HOURS}",
    'stemsvc_storage_seconds_count{operation="put",outcome="storage_full"}': f"0x{HOURS}",
    'stemsvc_webhook_tries_total{outcome="delivered"}': f"0+5x{HOURS}",
    'stemsvc_webhook_tries_total{outcome="failed"}': f"0+1x{HOURS}",
    # answers to what sends something are quick, and reads may take long
    **{
        f'stemsvc_http_seconds_bucket{{route="/v1/jobs",method="POST",status="201",le="{le}"}}': f"0+100x{HOURS}"
        for le in ("0.5", "2.5", "5.0", "+Inf")
    },
    **{
        f'stemsvc_http_seconds_bucket{{route="/v1/jobs",method="GET",status="200",le="{le}"}}': f"0+{many}x{HOURS}"
        for le, many in (("0.5", 0), ("2.5", 0), ("5.0", 0), ("+Inf", 100))
    },
}


def _from(before: str, then: str) -> str:
    return f"{before}x{BROKEN_AT} {then}x{HOURS - BROKEN_AT - 1}"


_STOPPED = f"0+60x{BROKEN_AT} {60 * BROKEN_AT}x{HOURS - BROKEN_AT - 1}"
_SLOW = {"0.5": 0, "2.5": 0, "5.0": 100, "+Inf": 100}

# Each alert's troubles: what changes in the series above, and the labels that the alert then has.
BROKEN: list[tuple[str, Series, dict[str, str]]] = [
    ("StemsvcApiDown", {'stemsvc_store_up{instance="a"}': f"1x{BROKEN_AT} stale"}, {}),
    ("StemsvcStoreAway", {'stemsvc_store_up{instance="a"}': _from("1", "0")}, {}),
    (
        "StemsvcMigrationFailed",
        {'stemsvc_schema_missing_revisions{instance="a",namespace="music"}': _from("0", "3")},
        {},
    ),
    (
        "StemsvcMigrationFailed",
        {
            'kube_pod_init_container_status_restarts_total{container="migrate",namespace="music",pod="p"}': (
                f"0x{BROKEN_AT} 1+0.2x{HOURS - BROKEN_AT - 1}"
            )
        },
        {"namespace": "music", "pod": "p"},
    ),
    ("StemsvcNoDispatcher", {'stemsvc_sweep_timestamp_seconds{sweep="dispatcher"}': _STOPPED}, {}),
    (
        "StemsvcNoDispatcher",
        {'stemsvc_sweep_timestamp_seconds{sweep="dispatcher"}': f"0+60x{BROKEN_AT} stale"},
        {"sweep": "dispatcher"},
    ),
    ("StemsvcNoFetcher", {'demucs_live_slots{pool="fetch"}': _from("4", "0")}, {}),
    ("StemsvcNoLivePool", {'demucs_live_slots{pool="cpu"}': _from("2", "0")}, {"pool": "cpu"}),
    (
        "StemsvcErrorRate",
        {'demucs_jobs_total{state="failed",code="internal_error"}': f"0x{BROKEN_AT} 0+2x{HOURS - BROKEN_AT - 1}"},
        {},
    ),
    ("StemsvcQueueAge", {'demucs_queue_age_seconds{pool="cpu"}': _from("5", "1000")}, {"pool": "cpu"}),
    ("StemsvcLeaseLosses", {"demucs_lease_losses_total": f"0x{BROKEN_AT} 0+1x{HOURS - BROKEN_AT - 1}"}, {}),
    (
        "StemsvcRetries",
        {'demucs_retries_total{code="storage_unavailable"}': f"0x{BROKEN_AT} 0+1x{HOURS - BROKEN_AT - 1}"},
        {"code": "storage_unavailable"},
    ),
    (
        "StemsvcGpuMemory",
        {'demucs_retries_total{code="device_out_of_memory"}': f"0x{BROKEN_AT} 0+0.2x{HOURS - BROKEN_AT - 1}"},
        {},
    ),
    (
        "StemsvcGpuMemory",
        {'demucs_jobs_total{state="failed",code="device_out_of_memory"}': f"0x{BROKEN_AT} 0+0.1x{HOURS - BROKEN_AT}"},
        {},
    ),
    (
        "StemsvcGpuMemory",
        {'demucs_device_free_memory_bytes{pool="gpu",worker="w",device="cuda:0"}': _from("8000000000", "100000000")},
        {"pool": "gpu", "device": "cuda:0"},
    ),
    (
        "StemsvcSourceBroken",
        {'demucs_jobs_total{state="failed",code="source_broken"}': f"0x{BROKEN_AT} 0+0.1x{HOURS - BROKEN_AT - 1}"},
        {},
    ),
    (
        "StemsvcStorageFull",
        {
            'stemsvc_storage_seconds_count{operation="put",outcome="storage_full"}': (
                f"0x{BROKEN_AT} 0+1x{HOURS - BROKEN_AT - 1}"
            )
        },
        {},
    ),
    (
        "StemsvcDiskFull",
        {'demucs_retries_total{code="scratch_full"}': f"0x{BROKEN_AT} 0+0.2x{HOURS - BROKEN_AT - 1}"},
        {},
    ),
    ("StemsvcJanitorBehind", {'stemsvc_sweep_timestamp_seconds{sweep="janitor"}': _STOPPED}, {}),
    (
        "StemsvcWebhooksFailing",
        {'stemsvc_webhook_tries_total{outcome="failed"}': f"0+1x{BROKEN_AT} 70+10x{HOURS - BROKEN_AT - 1}"},
        {},
    ),
    (
        "StemsvcSlowAnswers",
        {
            f'stemsvc_http_seconds_bucket{{route="/v1/jobs",method="POST",status="201",le="{le}"}}': (
                f"0+100x{BROKEN_AT} {6000 + many}+{many}x{HOURS - BROKEN_AT - 1}"
            )
            for le, many in _SLOW.items()
        },
        {},
    ),
]


def written(series: Series) -> list[dict[str, Any]]:
    """Series as promtool reads them."""
    return [{"series": name, "values": values} for name, values in series.items() if values]
