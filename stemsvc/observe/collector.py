"""What a process tells an OpenTelemetry collector, by the settings."""

from __future__ import annotations

from stemsvc.observe.traces import configure_traces
from stemsvc.settings import Settings


def observe(service: str, settings: Settings) -> None:
    """Send traces, and log lines where they are wanted. Call it once in each process, after any fork."""
    headers = settings.otlp_headers.get_secret_value()
    configure_traces(service, settings.otlp_endpoint, settings.trace_share, headers=headers)
    if settings.otlp_endpoint and settings.otlp_logs:
        from stemsvc.observe.otlp_logs import configure_otlp_logs

        configure_otlp_logs(service, settings.otlp_endpoint, headers)
