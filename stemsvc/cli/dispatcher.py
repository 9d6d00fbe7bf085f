"""`stemsvc dispatcher`: the process that publishes jobs and cleans up."""

from __future__ import annotations

import threading

import click


@click.command()
def dispatcher() -> None:
    """Publish queued jobs. Publish them again if the broker lost them, and take jobs back from silent workers."""
    import signal

    from stemsvc.cli.terminal import plain_settings
    from stemsvc.control.dispatcher import repeat
    from stemsvc.control.services import open_services
    from stemsvc.folders import tighten
    from stemsvc.observe import metrics
    from stemsvc.observe.logs import configure_logs
    from stemsvc.observe.traces import configure_traces

    # We wait for the signals and do not handle them: a handler that calls Event.set inside Event.wait can deadlock.
    # They are blocked before the first thread starts, for a thread that does not block them ends the process.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    settings = plain_settings()
    configure_logs(settings.log_format, settings.log_level)
    configure_traces("dispatcher", settings.otlp_endpoint, settings.trace_share)
    tighten(settings.data_dir)
    metrics.serve(settings.metrics_host, settings.metrics_port)
    services = open_services(settings)
    stop = threading.Event()

    def sweep() -> None:
        services.dispatcher.sweep()
        if settings.alive_file:
            settings.alive_file.touch()

    sweeps = (
        (sweep, settings.dispatch_interval_seconds),
        (
            services.janitor.sweep,
            settings.janitor_interval_seconds,
        ),  # in its own thread: it takes long to list all objects
    )
    threads = [threading.Thread(target=repeat, args=(sweep, pause, stop)) for sweep, pause in sweeps]
    for thread in threads:
        thread.start()
    signal.sigwait(ends)
    stop.set()
    for thread in threads:
        thread.join()
    services.close()
