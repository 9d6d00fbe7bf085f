"""`stemsvc mcp`: a server of the Model Context Protocol, for assistants."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from stemsvc.cli.submitting import KEY, URL, service
from stemsvc.errors import BadArguments, MissingPackages

HERE = "127.0.0.1"


@click.command()
@URL
@KEY
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="folder that the assistant may send songs from; repeatable. Without one it reads no file",
)
@click.option("--http", "address", metavar="[HOST:]PORT", help="serve streamable HTTP at /mcp in place of stdio")
@click.option("--name", "names", multiple=True, help="another name of this server, as `Host` has it; repeatable")
def mcp(
    url: str | None, key: str | None, folders: tuple[Path, ...], address: str | None, names: tuple[str, ...]
) -> None:
    """Let assistants work with a stemsvc by the Model Context Protocol.

    Over stdio it works with the key of the settings, or with --key. Over HTTP each request needs a key of its own, in
    `Authorization: Bearer ...`. A tool can do what its key can, and no more.
    """
    if importlib.util.find_spec("mcp") is None:
        raise MissingPackages("this needs the extra `mcp`: pip install 'stemsvc[mcp]'")
    where, own = service(url, key)
    if address is None:
        _serve_stdio(where, own, folders)
        return
    if folders:
        raise BadArguments("--folder is for stdio: over HTTP an assistant sends songs to signed URLs")
    host, port = _address(address)
    from stemsvc.assistants.http import PATH, serve

    click.echo(f"assistants: http://{host}:{port}{PATH}", err=True)
    serve(where, host, port, names)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadArguments(f"--http takes [HOST:]PORT, not {text!r}")
    return host or HERE, int(port)


def _serve_stdio(url: str, key: str | None, folders: tuple[Path, ...]) -> None:
    import anyio
    from mcp.server.stdio import stdio_server

    from stemsvc.assistants.server import Assistants

    server = Assistants(url, lambda context: key, folders).server()

    async def run() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(run)
