"""The command `odsethst`: say which Naming Services the clients of a node ask.

Thin: `naming.initial_hosts` knows the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from iiop.exceptions import ReferenceFormatError
from iiop_tools import cli
from naming.initial_hosts import InitialHost, InitialHosts, update_initial_hosts
from naming.node import Node, NodeError

__all__ = ["main"]


@click.command(
    context_settings={"help_option_names": ["--help"]},
    epilog="Of the real command only -a -h -p is documented. That it changes etc/initial_hosts (etc/inithost, where only that is "
    "there), -d, -l and --allow-address, that a host is added at the end of the file, and once, are this command's own. "
    "Exit status: 0 done, 1 the host to remove is not there, 2 wrong use, or a file that cannot be used.",
)
@click.option("-a", "add", is_flag=True, help="Add a host, to be asked after those there are.")
@click.option("-d", "delete", is_flag=True, help="Remove a host.")
@click.option("-l", "show", is_flag=True, help="List hosts and ports in the order in which they are asked.")
@click.option("-h", "host", metavar="HostName", help="Host of a Naming Service: the virtual host, if there is one.")
@click.option("-p", "port", metavar="PortNum", type=click.IntRange(1, 65535), help="Its port.")
@click.option("--allow-address", is_flag=True, help="Add an IP address although the node is behind a virtual host.")
@cli.debug_option
def odsethst(add: bool, delete: bool, show: bool, host: str | None, port: int | None, allow_address: bool) -> None:
    """Say which Naming Services clients ask, on the node that OD_HOME names.

    \b
    odsethst -a -h HostName -p PortNum [--allow-address]
    odsethst -d -h HostName -p PortNum
    odsethst -l

    A node is behind a virtual host if OD_set_env -n has set one. Clients have to name it by its host name then, so an IP address
    is refused. Elsewhere an address is right: in a cluster it is the inherited one.
    """
    if add + delete + show != 1:
        raise click.UsageError("give exactly one of -a, -d and -l")
    if show and (host is not None or port is not None):
        raise click.UsageError("-l takes neither -h nor -p")
    if allow_address and not add:
        raise click.UsageError("--allow-address goes with -a")
    try:
        node = Node.from_environment()
        path = node.initial_hosts_file
        if show:
            for each in InitialHosts.read(path).hosts if path.exists() else ():
                cli.say(str(each))
            return
        if host is None or port is None:
            raise click.UsageError("-h HostName and -p PortNum are both needed")
        named = InitialHost(host, port)
        if add:
            virtual_host = None if allow_address else node.virtual_host
            path.parent.mkdir(exist_ok=True)
            update_initial_hosts(path, lambda file: file.with_host(named, virtual_host=virtual_host))
        elif not (path.exists() and update_initial_hosts(path, lambda file: file.without_host(named))):
            cli.complain(f"{path}: {named} is not there")
            cli.stop(cli.NO)
    except (NodeError, ReferenceFormatError) as error:
        cli.complain(cli.printable(str(error)))
        cli.stop(cli.WRONG_USE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `odsethst` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(odsethst, argv, name="odsethst")
