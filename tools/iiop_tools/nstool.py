"""The command `nstool`: run a Naming Service."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import click

from iiop.net.loop import new_event_loop
from iiop_tools import cli
from ior.builder import DEFAULT_PORT
from naming.server import NamingServer
from naming.store import StoreError

__all__ = ["main", "serve_until_told"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iiopkit")
@cli.debug_option
def nstool() -> None:
    """Run CORBA Naming Services."""


@nstool.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option("--host-name", help="Host name in references of contexts; the address listened on if left out.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where bindings are kept; else in memory.")
@click.option(
    "--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="Gets corbaloc and IOR once the server answers."
)
@cli.debug_option
def serve(host: str, port: int, host_name: str | None, folder: Path | None, ready_file: Path | None) -> None:
    """Serve CosNaming until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    server = NamingServer(folder, host=host, port=port, advertised_host=host_name)
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve_until_told(server, ready_file))
    except StoreError as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)
    except OSError as error:
        if error.filename is not None:
            raise  # the ready file
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        cli.complain(f"cannot listen on {host}:{port}: {reason}")
        cli.stop(cli.WRONG_USE)


async def serve_until_told(server: NamingServer, ready_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        server: not started yet.
        ready_file: gets the corbaloc and the IOR, a line each, once requests are answered.

    Raises:
        StoreError, OSError: the server cannot start.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with server:
        if ready_file is not None:
            unfinished = ready_file.with_name(ready_file.name + ".new")
            unfinished.write_text(f"{server.corbaloc}\n{server.ior}\n", encoding="utf-8")
            unfinished.replace(ready_file)
        logging.getLogger("nstool").info("ready: %s", server.corbaloc)
        await told.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run `nstool` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(nstool, argv)
