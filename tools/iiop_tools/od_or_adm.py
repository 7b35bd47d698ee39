"""The command `OD_or_adm`: register and delete references in the Naming Service of a node.

Thin: reads arguments as Interstage documents them, lets `naming.registration` make the reference and the running Naming Service
of the node bind it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from iiop.exceptions import FailoverExhausted, ReferenceFormatError
from iiop.net.address import read_hosts
from iiop_tools import cli
from ior import IOR
from naming.client import NameService
from naming.names import format_name, parse_name
from naming.node import Node, NodeError
from naming.registration import Registration
from naming.types import AlreadyBound, Name, NotFound, NotFoundReason

__all__ = ["main"]

VERSIONS = {"1.0": (1, 0), "1.1": (1, 1), "1.2": (1, 2)}


@click.command(
    context_settings={"help_option_names": ["--help"]},
    epilog="The node is the folder that OD_HOME names; IIOP_HOSTS may name a file in the form of /etc/hosts.",
)
@click.option("-c", "interface_id", metavar="IntfID", help="Interface repository id, as IDL:TDsample/tdtest:1.0.")
@click.option("-a", "implementation_id", metavar="ImplID", help="Implementation repository id; the IntfID if left out.")
@click.option("-h", "host", metavar="HostName", help="Host in the reference, with -p; the node's own if left out.")
@click.option("-p", "port", metavar="PortNum", type=click.IntRange(1, 65535), help="Port in the reference, with -h.")
@click.option("-v", "version", metavar="version", type=click.Choice(sorted(VERSIONS)), help="IIOP version; 1.0 if left out.")
@click.option("-n", "name", metavar="name", help="Bind under this name, or with -d, unbind it.")
@click.option("-o", "file", metavar="file", type=click.Path(dir_okay=False), help="Write the reference to this file instead.")
@click.option("-d", "delete", is_flag=True, help="Delete instead of create.")
@cli.debug_option
def od_or_adm(
    interface_id: str | None,
    implementation_id: str | None,
    host: str | None,
    port: int | None,
    version: str | None,
    name: str | None,
    file: str | None,
    delete: bool,
) -> None:
    """Register object references, as Interstage's OD_or_adm.

    \b
    OD_or_adm -c IntfID [-a ImplID] [-h HostName -p PortNum] [-v version] {-o file | -n name}
    OD_or_adm -d -n name

    With -h naming the virtual host, calls are distributed one by one; without it, the reference carries the node's own host, and
    clients are distributed when they obtain the Naming Service reference.
    """
    try:
        if delete:
            if name is None or any(given is not None for given in (interface_id, implementation_id, host, port, version, file)):
                raise click.UsageError("to delete, give -d -n name and nothing else")
            _unbind(Node.from_environment(), name)
            return
        if interface_id is None:
            raise click.UsageError("-c IntfID is missing")
        if (host is None) is not (port is None):
            raise click.UsageError("-h and -p go together")
        if (name is None) is (file is None):
            raise click.UsageError("give exactly one of -n name and -o file")
        node = Node.from_environment()
        where = (node.host_name, node.port) if host is None or port is None else (host, port)
        reference = Registration(interface_id, *where, implementation_id or "", VERSIONS[version or "1.0"]).reference()
        if name is not None:
            _bind(node, name, reference)
        elif file is not None:
            Path(file).write_text(f"{reference}\n", encoding="ascii")
    except (NodeError, ReferenceFormatError) as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)


def _bind(node: Node, name: str, reference: IOR) -> None:
    with _naming_service(node) as naming, _answers(name):
        try:
            naming.root.bind(_components(name), reference)
        except AlreadyBound:
            cli.complain(f"{name} is bound already; delete it first: OD_or_adm -d -n {name}")
            cli.stop(cli.NO)


def _unbind(node: Node, name: str) -> None:
    with _naming_service(node) as naming, _answers(name):
        naming.root.unbind(_components(name))


def _components(name: str) -> Name:
    if name.startswith("/"):
        raise ReferenceFormatError("a name begins without a slash (that is how it was before V3)", text=name)
    return parse_name(name)


def _naming_service(node: Node) -> NameService:
    hosts = os.environ.get("IIOP_HOSTS")
    return NameService(f"{node.host_name}:{node.port}", hosts=read_hosts(Path(hosts)) if hosts else None)


@contextlib.contextmanager
def _answers(name: str) -> Iterator[None]:
    """Say in a line what the Naming Service answers, or that it does not."""
    try:
        yield
    except NotFound as error:
        what = "is no context" if error.why is NotFoundReason.not_context else "is not there"
        cli.complain(f"{name}: {format_name(error.rest_of_name[:1])} {what}")
    except FailoverExhausted as error:
        cli.complain(f"the Naming Service of the node does not answer: {error.__cause__ or error}")
    else:
        return
    cli.stop(cli.NO)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `OD_or_adm` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(od_or_adm, argv, name="OD_or_adm")
