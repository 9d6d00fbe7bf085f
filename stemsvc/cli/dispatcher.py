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
    from stemsvc.control.facts import Report, Reporter, process_name
    from stemsvc.control.secret_changes import SecretChanges
    from stemsvc.control.services import open_services
    from stemsvc.host.folders import tighten
    from stemsvc.observe import port
    from stemsvc.observe.collector import observe
    from stemsvc.observe.logs import configure_logs
    from stemsvc.observe.otlp_metrics import send_metrics, stop_sending

    # We wait for the signals and do not handle them: a handler that calls Event.set inside Event.wait can deadlock.
    # They are blocked before the first thread starts, for a thread that does not block them ends the process.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    settings = plain_settings()
    configure_logs(settings.log_format, settings.log_level)
    observe("dispatcher", settings)
    tighten(settings.data_dir)
    port.serve(settings.metrics_host, settings.metrics_port)
    send_metrics("dispatcher", settings)
    services = open_services(settings)
    changes = SecretChanges(settings)
    changes.start()
    reporter = Reporter(Report(services.store, process_name(), "dispatcher", settings))
    reporter.start()
    stop = threading.Event()

    def sweep() -> None:
        services.dispatcher.sweep()
        if settings.alive_file:
            settings.alive_file.touch()

    sweeps = (
        ("dispatcher", sweep, settings.dispatch_interval_seconds),
        # in its own thread: it takes long to list all objects
        ("janitor", services.janitor.sweep, settings.janitor_interval_seconds),
    )
    threads = [threading.Thread(target=repeat, args=(*each, stop)) for each in sweeps]
    for thread in threads:
        thread.start()
    signal.sigwait(ends)
    stop.set()
    changes.stop()
    for thread in threads:
        thread.join()
    reporter.stop()
    stop_sending()
    services.close()
