"""The command `nstool serve`: run a Naming Service."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import ipaddress
import logging
import os
import signal
import socket
import ssl
from pathlib import Path
from typing import Any, TypedDict

import click
from click.core import ParameterSource

from iiop.exceptions import ReferenceFormatError
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.net.loop import new_event_loop
from iiop.net.tls_transport import TLSListener
from iiop_tools import cli
from iiop_tools.daemon import LEVELS, LOG_FORMATS, allow_descriptors, log_level_in, notify
from ior import Address
from ior.builder import DEFAULT_PORT
from naming.model import DEFAULT_PROFILE, Profile
from naming.node import Node, NodeError
from naming.node_server import NodeServer
from naming.server import NamingServer
from naming.store import Durability, StoreError
from naming.whole_file import replacing

__all__ = ["serve", "serve_until_told"]

log = logging.getLogger("nstool")

OWN_DESCRIPTORS = 512
"""Files and sockets beside those of clients: the store, the log, calls to other servers."""

_LIMITS = {field.name: type(field.default) for field in dataclasses.fields(Limits) if isinstance(field.default, int | float)}


def _limits(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Limits:
    """Return the limits that `name=number` options change."""
    changes: dict[str, int | float] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in _LIMITS:
            raise click.BadParameter(f"{name!r} is no limit; {', '.join(_LIMITS)} are")
        try:
            changes[name] = _LIMITS[name](number)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not of the form {name}={getattr(DEFAULT_LIMITS, name)}") from None
        if not 0 <= changes[name] < float("inf"):
            raise click.BadParameter(f"{value!r}: a limit is not negative, and finite")
    return dataclasses.replace(DEFAULT_LIMITS, **changes)  # type: ignore[arg-type]


def _host_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what no URL of a reference could hold, and what no client could connect to."""
    if value is not None:
        try:
            Address("iiop", value)
        except ReferenceFormatError as error:
            raise click.BadParameter(f"{value!r}: {error.reason}") from None
        if ":" not in value and (len(value) > 253 or not all(0 < len(label) <= 63 for label in value.rstrip(".").split("."))):
            raise click.BadParameter(f"{value!r}: a host name has 253 characters at most, and 1 to 63 between its dots")
        if _is_every_address(value):
            raise click.BadParameter(f"{value!r} stands for every address; say which of them references carry")
    return value


def _host(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse to listen on no address, which the system takes for all."""
    if value == "":
        raise click.BadParameter("an address is missing")
    return value


def _is_every_address(host: str) -> bool:
    """Tell whether a host is the address that stands for all of a machine, in any spelling, as 0 or ::0."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return any(ipaddress.ip_address(address[0]).is_unspecified for *_, address in found)


class _Path(click.Path):
    """Take a path that is not empty: an empty one, as of a variable that is not set, would be the folder one is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(value, param, ctx) if value else self.fail("a path is missing", param, ctx)


@click.command(short_help="Serve CosNaming until SIGTERM or Ctrl-C.")
@click.option("--host", callback=_host, help="Address to listen on; 127.0.0.1 if left out, or the node's IIOP_hostname.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port, 0 takes a free one; {DEFAULT_PORT} if left out, or the node's IIOP_port.",
)
@click.option(
    "--host-name",
    callback=_host_name,
    help="Host name or address in references of contexts; else that of --host, or of the node.",
)
@click.option("--host-port", type=click.IntRange(1, 65535), help="Port in references of contexts, if not the one listened on.")
@click.option("--folder", type=_Path(file_okay=False, path_type=Path), help="Where bindings are kept; else in memory.")
@click.option(
    "--node",
    "home",
    envvar="OD_HOME",
    show_envvar=True,
    type=_Path(file_okay=False, path_type=Path),
    help="Serve this node: its bindings and initial services, where its etc/config says, and to OD_or_adm and its like.",
)
@click.option(
    "--durability",
    type=click.Choice([durability.name for durability in Durability]),
    default=Durability.disk.name,
    show_default=True,
    help="What a change that was answered survives: the machine losing power (disk), or only the end of the process.",
)
@click.option(
    "--profile",
    type=click.Choice([profile.name for profile in Profile]),
    help="Whose answers to give where Naming Services differ; the node's iiopkit_profile if left out, "
    f"or {DEFAULT_PROFILE.name}. What commands show of a node that is stopped goes by its iiopkit_profile.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    callback=_limits,
    metavar="NAME=NUMBER",
    help=f"What peers may make it hold: {', '.join(_LIMITS)}; may be repeated.",
)
@click.option(
    "--tls-cert",
    type=_Path(dir_okay=False, path_type=Path),
    help="Speak TLS too, by this certificate, and those that lead to its authority (PEM).",
)
@click.option("--tls-key", type=_Path(dir_okay=False, path_type=Path), help="Its private key, if not in the same file.")
@click.option("--tls-port", type=click.IntRange(0, 65535), help="Port of TLS; a free one if left out, or 0.")
@click.option("--tls-only", is_flag=True, help="Listen on no plain port; not for a node, whose commands need it.")
@click.option(
    "--log-format", type=click.Choice(list(LOG_FORMATS)), default="text", show_default=True, help="Of each line logged."
)
@click.option(
    "--log-level", type=click.Choice(LEVELS, case_sensitive=False), default="INFO", show_default=True, help="Least logged."
)
@click.option(
    "--log-level-file",
    type=_Path(dir_okay=False, path_type=Path),
    help="Holds the level instead; read at the start, and again on SIGHUP.",
)
@click.option("--ready-file", type=_Path(dir_okay=False, path_type=Path), help="Gets corbaloc and IOR once the server answers.")
@cli.debug_option
def serve(
    host: str | None,
    port: int | None,
    host_name: str | None,
    host_port: int | None,
    folder: Path | None,
    home: Path | None,
    durability: str,
    profile: str | None,
    limits: Limits,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_port: int | None,
    tls_only: bool,
    log_format: str,
    log_level: str,
    log_level_file: Path | None,
    ready_file: Path | None,
) -> None:
    """Serve CosNaming until SIGTERM or Ctrl-C; requests under way are answered before it ends.

    systemd is told when it is ready (Type=notify).
    """
    home = _node_meant(folder, home)
    if host_name is None and home is None and host is not None and _is_every_address(host):
        raise click.UsageError(f"--host {host} listens on every address; say by --host-name which of them references carry")
    tls = _tls(tls_cert, tls_key, tls_port, only=tls_only)
    if tls_only and profile == Profile.interstage.name:
        raise click.UsageError("--tls-only: references of IIOP 1.0, as of --profile interstage, have no place for the port")
    handler = logging.StreamHandler()
    handler.setFormatter(LOG_FORMATS[log_format])
    logging.basicConfig(level=_first_level(log_level, log_level_file), handlers=[handler])
    wanted = limits.connections + OWN_DESCRIPTORS
    if (allowed := allow_descriptors(wanted)) < wanted:
        log.warning("only %d files may be open (ulimit -Hn): too few for connections=%d", allowed, limits.connections)
    common: _Common = {
        "advertised_host": host_name,
        "advertised_port": host_port,
        "durability": Durability[durability],
        "limits": limits,
        "tls": tls,
    }
    chosen = None if profile is None else Profile[profile]
    try:
        server: NamingServer
        if home is not None:
            server = NodeServer(Node(home), host=host, port=port, profile=chosen, **common)
        else:
            host, port = host or "127.0.0.1", DEFAULT_PORT if port is None else port
            node = None if folder is None else Node.of_bindings(folder)
            if node is None:
                server = NamingServer(folder, host=host, port=port, profile=chosen or DEFAULT_PROFILE, **common)
            else:
                common["advertised_host"] = host_name or host
                server = NodeServer(node, host=host, port=port, profile=chosen, **common)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve_until_told(server, ready_file, log_level_file))
    except (StoreError, NodeError) as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)
    except (OSError, UnicodeError) as error:  # the latter for a host name that cannot be one
        if isinstance(error, UnicodeError):
            reason: object = error
        elif error.filename is not None:
            raise  # the ready file
        else:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        cli.complain(f"cannot listen on {server.host}:{server.port}: {reason}")
        cli.stop(cli.WRONG_USE)


class _Common(TypedDict):
    """Hold what every kind of server is told."""

    advertised_host: str | None
    advertised_port: int | None
    durability: Durability
    limits: Limits
    tls: TLSListener | None


def _tls(certificate: Path | None, key: Path | None, port: int | None, *, only: bool) -> TLSListener | None:
    """Return how TLS is spoken, as the options say; None if it is not."""
    if certificate is None:
        if key is not None or port is not None or only:
            raise click.UsageError("TLS needs a certificate: --tls-cert")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # the latter for a key that a password protects
        reason = error.reason.replace("_", " ").lower() if isinstance(error, ssl.SSLError) and error.reason else None
        files = certificate if key is None else f"{certificate} and {key}"
        unread = f"{files}: {reason or (isinstance(error, OSError) and error.strerror) or error}"
        raise click.UsageError(f"no certificate and its key could be read from {unread}") from None
    return TLSListener(context, port or 0, only)


def _node_meant(folder: Path | None, home: Path | None) -> Path | None:
    """Return the node to serve, if any: OD_HOME does not count where --folder is given."""
    if folder is None or home is None:
        return home
    if click.get_current_context().get_parameter_source("home") is ParameterSource.ENVIRONMENT:
        return None
    raise click.UsageError("give --node or --folder: a node's bindings are in its etc/CosNaming")


def _first_level(level: str, path: Path | None) -> str:
    if path is None:
        return level
    try:
        return log_level_in(path)
    except ValueError as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)


async def serve_until_told(server: NamingServer, ready_file: Path | None, log_level_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        server: not started yet.
        ready_file: gets the corbaloc and the IOR, a line each, once requests are answered; removed in the end.
        log_level_file: read again on SIGHUP.

    Raises:
        StoreError, OSError: the server cannot start.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    loop.add_signal_handler(signal.SIGHUP, _set_level, log_level_file)
    gc.disable()
    async with server:
        gc.freeze()  # what was loaded stays, and looking through millions of bindings in vain is a pause for every client
        gc.enable()
        if ready_file is not None:
            with replacing(ready_file) as file:
                file.write(f"{server.corbaloc}\n{server.ior}\n".encode())
        log.info("ready: %s", server.corbaloc)
        _notify("READY=1")
        await told.wait()
        log.info("stopping")
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
        _notify("STOPPING=1")


def _notify(state: str) -> None:
    try:
        notify(state)
    except OSError as error:
        log.warning("systemd cannot be told %s: %s", state, error)


def _set_level(path: Path | None) -> None:
    """Take the log level out of its file; a file that cannot be read changes nothing."""
    if path is None:
        log.warning("SIGHUP: there is no --log-level-file to read the log level from")
        return
    try:
        level = log_level_in(path)
    except (OSError, ValueError) as error:
        log.warning("SIGHUP: the log level stays as it is: %s", error)
        return
    logging.getLogger().setLevel(level)
    log.log(logging.getLevelName(level), "SIGHUP: the log level is %s", level)
