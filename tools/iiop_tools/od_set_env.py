"""The command `OD_set_env`: say which host goes into the references that a node makes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import click

from iiop.exceptions import ReferenceFormatError
from iiop_tools import cli
from iiop_tools.registering import mistakes
from ior import Address
from naming.node import Node
from naming.whole_file import replacing

__all__ = ["main"]


def _host(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no host name."""
    if value is None:
        return None
    if _is_address(value):
        raise click.BadParameter(f"{value} is an address; give it with -v")
    try:
        Address("iiop", value)
    except ReferenceFormatError as error:
        raise click.BadParameter(f"{value!r}: {error.reason}") from None
    return value


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no IP address."""
    if value is not None and not _is_address(value):
        raise click.BadParameter(f"{value!r} is no IP address; give a host name with -n")
    return value


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # a zone, which means nothing to others


@click.command(
    context_settings={"help_option_names": ["--help"]},
    epilog="Of the real command only -n and -v are documented. That they win over IIOP_hostname of etc/config, where they are "
    "kept (etc/set_host), that OD_or_adm heeds them at once, and every other option here, is this command's own.",
)
@click.option("-n", "host", metavar="host", callback=_host, help="Put this host name into references: the virtual host.")
@click.option("-v", "address", metavar="address", callback=_address, help="Put this IP address there: a cluster's inherited one.")
@click.option("--show", is_flag=True, help="Print the host that goes into references.")
@click.option("--unset", is_flag=True, help="Undo -n and -v: references get the node's own host again.")
@click.option("-M", "system", metavar="system", help="The extended system to set it for; else the one IS_SYSTEM names.")
@cli.debug_option
def od_set_env(host: str | None, address: str | None, show: bool, unset: bool, system: str | None) -> None:
    """Set the host in references made from now on, of the node that OD_HOME names.

    \b
    OD_set_env {-n host | -v address | --unset | --show} [-M system]

    References that exist stay as they are. Those of naming contexts are made by the Naming Service: if it runs, start it again.
    """
    if sum((host is not None, address is not None, show, unset)) != 1:
        raise click.UsageError("give exactly one of -n host, -v address, --unset and --show")
    with mistakes():
        node = Node.from_environment(system)
        if show:
            click.echo(node.host_name)
            return
        if unset:
            node.set_host_file.unlink(missing_ok=True)
        else:
            node.set_host_file.parent.mkdir(exist_ok=True)
            with replacing(node.set_host_file) as file:
                file.write(f"{host or address}\n".encode())
        click.echo(f"New references carry {node.host_name}; if the Naming Service runs, start it again, so that its own do too.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `OD_set_env` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(od_set_env, argv, name="OD_set_env")
