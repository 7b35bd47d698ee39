"""A process that serves one servant: `python -m iiop_lab.serve_servant MODULE:CLASS [--host ADDRESS] [--port PORT] [--key KEY]`.

It prints the reference, with the port where it listens, and ends at SIGTERM, or with its standard input, if that is a pipe, once
what runs has been answered. A class whose constructor has an argument `server` gets the `Server`, to activate other objects.
Their references carry the address of the node, `IIOP_LAB_ADDRESS`, and it finds those whose keys begin with that of the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Sequence

import click

from iiop.idl import Servant
from iiop.net.loop import new_event_loop
from iiop.net.servants import Server
from iiop_tools import cli
from ior import IOR
from ior.rewrite import rewritten

__all__ = ["load_servant", "main"]


def load_servant(named: str, server: Server) -> Servant:
    """Return a servant made of the class that `module:Class` names; modules in the current folder are found after all others.

    Args:
        named: the class.
        server: that is to serve it.

    Raises:
        ValueError: it names none, or one that cannot be made without arguments.
    """
    module, _, name = named.partition(":")
    if not (module and name):
        raise ValueError(f"{named!r} is not module:Class")
    sys.path.append(os.getcwd())
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{named}: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, Servant)):
        raise ValueError(f"{named} is no servant class")
    arguments = {"server": server} if "server" in inspect.signature(cls).parameters else {}
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(f"{named} cannot be made: {error}") from error


async def _serve(servant: Servant, server: Server, key: bytes | None) -> None:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    with contextlib.suppress(PermissionError):  # a file, as /dev/null, is none whose end can be waited for
        loop.add_reader(0, lambda: _at_end(loop, end))
    async with server:
        host, port = server.address
        click.echo(str(IOR.from_iop(rewritten(server.activate(servant, key), host=host, port=port))))
        await end.wait()


def _address(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, int] | None:
    host, _, port = (text or "").rpartition(":")
    if text is not None and not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise click.BadParameter(f"{text!r} is not host:port")
    return (host.strip("[]"), int(port)) if host else None


def _at_end(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    if not os.read(0, 65536):
        loop.remove_reader(0)
        end.set()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("named", metavar="MODULE:CLASS")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=0, help="Port to listen on; 0 lets the system choose.")
@click.option("--key", help="Object key; one that nobody can guess, if left out.")
@click.option(
    "--advertised",
    metavar="HOST:PORT",
    envvar="IIOP_LAB_ADDRESS",
    callback=_address,
    help="Address that references of objects activated later carry, and the first does not; where it listens, if left out.",
)
@click.option("--threads", default=8, show_default=True, help="Threads that run methods; 0 for the event loop.")
@cli.debug_option
def serve_servant(named: str, host: str, port: int, key: str | None, advertised: tuple[str, int] | None, threads: int) -> None:
    """Serve one servant, and print its reference."""
    advertised_host, advertised_port = advertised or (None, None)
    try:
        server = Server(host=host, port=port, threads=threads, advertised_host=advertised_host, advertised_port=advertised_port)
        servant = load_servant(named, server)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(servant, server, key.encode() if key else None))
    except OSError as error:
        cli.complain(f"cannot listen on {host}:{port}: {os.strerror(error.errno) if error.errno else error}")
        cli.stop(cli.WRONG_USE)
    except ValueError as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    return cli.run(serve_servant, argv)


if __name__ == "__main__":
    sys.exit(main())
