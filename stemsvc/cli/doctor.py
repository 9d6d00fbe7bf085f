"""`stemsvc doctor`: whether this installation can work."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from stemsvc.cli.terminal import AS_JSON, plain_settings, print_json, printable


@click.command()
@click.option("--quick", is_flag=True, help="leave out what takes long: separating on each device, reading all weights")
@AS_JSON
def doctor(quick: bool, as_json: bool) -> None:
    """Check each part of the installation, also where nothing runs. Exits with 1 if one is broken.

    Storage, database and broker are those of the settings. What is being checked goes to stderr.
    """
    from stemsvc.cli.checks import examine

    findings = []
    for finding in examine(plain_settings(), quick, _begin):
        findings.append(finding)
        if not as_json:
            click.echo(f"{'ok' if finding.ok else 'broken':8}{finding.part}: {printable(finding.what)}")
        if not as_json and finding.remedy:
            click.echo(f"{'':8}to do: {printable(finding.remedy)}")
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if not all(finding.ok for finding in findings):
        sys.exit(1)


def _begin(part: str) -> None:
    click.echo(f"checking {part} ...", err=True)
