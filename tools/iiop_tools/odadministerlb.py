"""The command `odadministerlb`: the members of load-balance object groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import click

from iiop.endpoints import endpoints
from iiop.iop import IOR
from iiop_tools import cli
from iiop_tools.registering import NODE_HELP, answers, made_of, mistakes, name_of, reference_options, system_option
from naming.node import Node
from naming.node_server import administer
from naming.registration import Registration, object_key

__all__ = ["main"]

MAX_ID = 256
"""Characters that this command takes for an id, at the most: one more than `OD_or_adm`."""


@click.command(context_settings={"help_option_names": ["--help"]}, epilog=NODE_HELP)
@reference_options
@click.option("-n", "name", metavar="name", help="The group, made by OD_or_adm -g.")
@click.option("-d", "delete", is_flag=True, help="Remove members, on whatever port, instead of adding one.")
@click.option("-r", "default", is_flag=True, help="Change the default object, which clients get while there are no members.")
@system_option
@cli.debug_option
def odadministerlb(name: str | None, delete: bool, default: bool, system: str | None, **options: Any) -> None:
    """Manage the members of load-balance object groups, as Interstage's odadministerlb.

    \b
    odadministerlb -c IntfID [-a ImplID] [-h HostName -p PortNum] -n name
                   [-L Locale|-v version] [-M system]
    odadministerlb -d -c IntfID [-a ImplID] [-h HostName] -n name [-M system]
    odadministerlb -c IntfID [-a ImplID] [-h HostName -p PortNum] -n name -r
                   [-L Locale|-v version] [-M system]

    The version at the end of IntfID may be left out; it is 1.0 then. Without -h, a member is at the node's own host, and -d
    removes the one that is there. What clients get of a group is decided by object_group_selection in etc/config: round_robin
    (the default), or first; how Interstage itself chooses is not public, nor are what -h left out means, and every exit status.

    Exit status: 0 done; 1 the node says no; 2 wrong use, or the node cannot be used.
    """
    made = made_of(options)
    if made.interface_id is None or name is None:
        raise click.UsageError("-c IntfID is missing" if made.interface_id is None else "-n name is missing")
    if delete and (default or made.port is not None or made.locale is not None or made.version is not None):
        raise click.UsageError("-d takes -c, -a, -h and -n, and nothing else")
    if not delete:
        made.check()
    with mistakes():
        made = dataclasses.replace(made, interface_id=_whole(made.interface_id))
        group, node = name_of(name), Node.from_environment(system)
        port = node.port if made.port is None else made.port
        registration = dataclasses.replace(made, port=port, host=made.host or node.host_name).registration(node, longest=MAX_ID)
        with administer(node) as reached, answers(name, wanted="no object group"):
            if delete:
                members = [member for member in reached.load_balancing.group(group).members if _is_made_of(member, registration)]
                for member in members:
                    reached.load_balancing.remove_member(group, member)
                if not members:
                    cli.complain(f"{name} has no member {registration.interface_id} at {registration.host}")
                    cli.stop(cli.NO)
            elif default:
                reached.load_balancing.set_default(group, registration.reference())
            else:
                reached.load_balancing.add_member(group, registration.reference())


def _whole(interface_id: str) -> str:
    """Return an interface repository id with its version."""
    return interface_id if interface_id.count(":") > 1 else f"{interface_id}:1.0"


def _is_made_of(member: IOR, registration: Registration) -> bool:
    """Tell whether a member has these ids and this host, whatever its port."""
    key = object_key(registration.interface_id, registration.implementation_id)
    return member.type_id == registration.interface_id and any(
        (endpoint.host, endpoint.object_key) == (registration.host, key) for endpoint in endpoints(member)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run `odadministerlb` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(odadministerlb, argv, name="odadministerlb")
