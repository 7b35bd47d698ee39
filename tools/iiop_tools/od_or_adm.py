"""The command `OD_or_adm`: register and delete references in the Naming Service of a node.

Thin: reads arguments as Interstage documents them, lets `naming.registration` make the reference and the running Naming Service
of the node bind it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from iiop.net.address import read_hosts
from iiop_tools import cli
from naming.client import NameService
from naming.names import parse_name
from naming.node import Node
from naming.registration import Registration
from naming.types import AlreadyBound, NotFound

__all__ = ["main"]

VERSIONS = {"1.0": (1, 0), "1.1": (1, 1), "1.2": (1, 2)}


@click.command(
    context_settings={"help_option_names": ["--help"]},
    epilog="The node is the folder that OD_HOME names; IIOP_HOSTS may name a file in the form of /etc/hosts.",
)
@click.option("-c", "interface_id", metavar="IntfID", help="Interface repository id, as IDL:TDsample/tdtest:1.0.")
@click.option("-a", "implementation_id", metavar="ImplID", default="", help="Implementation repository id; else the IntfID.")
@click.option("-h", "host", metavar="HostName", help="Host in the reference, with -p; the node's own if left out.")
@click.option("-p", "port", metavar="PortNum", type=click.IntRange(1, 65535), help="Port in the reference, with -h.")
@click.option("-v", "version", metavar="version", type=click.Choice(sorted(VERSIONS)), default="1.0", help="IIOP version; 1.0.")
@click.option("-n", "name", metavar="name", help="Bind under this name, or with -d, unbind it.")
@click.option("-o", "file", metavar="file", type=click.Path(dir_okay=False), help="Write the reference to this file instead.")
@click.option("-d", "delete", is_flag=True, help="Delete instead of create.")
@cli.debug_option
def od_or_adm(
    interface_id: str | None,
    implementation_id: str,
    host: str | None,
    port: int | None,
    version: str,
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
    if name is not None and name.startswith("/"):
        raise click.UsageError("a name begins without a slash (that is how it was before V3)")
    if delete:
        if name is None or file or interface_id or host or port:
            raise click.UsageError("to delete, give -d -n name and nothing else")
        with _naming_service(Node.from_environment()) as naming:
            naming.root.unbind(parse_name(name))
        return
    if interface_id is None:
        raise click.UsageError("-c IntfID is missing")
    if (host is None) is not (port is None):
        raise click.UsageError("-h and -p go together")
    if (name is None) is (file is None):
        raise click.UsageError("give exactly one of -n name and -o file")
    node = Node.from_environment()
    registration = Registration(interface_id, host or node.host_name, port or node.port, implementation_id, VERSIONS[version])
    reference = registration.reference()
    if file is not None:
        Path(file).write_text(f"{reference}\n", encoding="ascii")
        return
    assert name is not None
    with _naming_service(node) as naming:
        try:
            naming.root.bind(parse_name(name), reference)
        except AlreadyBound:
            cli.complain(f"{name} is bound already; delete it first: OD_or_adm -d -n {name}")
            cli.stop(cli.NO)
        except NotFound as error:
            cli.complain(f"{name}: {error.rest_of_name[0].id!r} is not there")
            cli.stop(cli.NO)


def _naming_service(node: Node) -> NameService:
    hosts = os.environ.get("IIOP_HOSTS")
    return NameService(f"{node.host_name}:{node.port}", hosts=read_hosts(Path(hosts)) if hosts else None)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `OD_or_adm` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(od_or_adm, argv, name="OD_or_adm")
