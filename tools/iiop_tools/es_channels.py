"""The commands `esgetchnlior` and `esetchnlior`: take references of event channels from one node of a cluster to the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from iiop.exceptions import ReferenceFormatError
from iiop_tools import cli
from iiop_tools.registering import answers, mistakes, name_of
from ior import IOR
from ior.text import display_text
from naming.channels import Channel, format_channels, is_channel, parse_channels
from naming.listings import show_name
from naming.names import format_name
from naming.node import Node
from naming.node_server import administer
from naming.own_contexts import OwnContexts
from naming.types import AlreadyBound, BindingType, NotFound
from naming.whole_file import replacing

__all__ = ["main_get", "main_set"]

_system = click.option("-M", "system", metavar="system", help="The extended system to ask; else the one IS_SYSTEM names.")
_settings = {"help_option_names": ["--help"]}


def _group(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuse what is no name of a file, as the group gives the file its name."""
    if not value or "/" in value or "\0" in value:
        raise click.BadParameter(f"{value!r}: a group's name has at least one character, and no slash")
    return value


@click.command(
    context_settings=_settings,
    epilog="Exit status: 0 written; 1 the group has no channels; 2 wrong use, or something could not be read or written. Of the "
    "real command -g, -p and the name of the file are documented; what is in the file, -M, and that only references of event "
    "channels count, is this command's own.",
)
@click.option("-g", "group", metavar="group", required=True, callback=_group, help="The group: names begin with group::.")
@click.option(
    "-p",
    "path",
    metavar="path",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the file.",
)
@_system
@cli.debug_option
def esgetchnlior(group: str, path: Path, system: str | None) -> None:
    """Write the references of a group's event channels to path/group.ior: a line a channel, name and reference.

    They are those bound in the Naming Service of the node that OD_HOME names.
    """
    with mistakes(), administer(Node.from_environment(system), reading=True) as node:
        contexts = OwnContexts(node.names)
        channels = []
        for binding in sorted(contexts.bindings(contexts.root), key=lambda binding: binding.binding_name[0].id):
            component = binding.binding_name[0]
            of_group = component.id.startswith(f"{group}::") and not component.kind
            if not of_group or binding.binding_type is not BindingType.nobject:
                continue
            try:
                reference = contexts.root.resolve(binding.binding_name)
            except NotFound:  # unbound since it was listed
                continue
            name = format_name(binding.binding_name)
            if is_channel(reference):
                channels.append(Channel(name, IOR.from_iop(reference)))
            else:
                cli.complain(f"{show_name(name)} is left out: {display_text(reference.type_id)!r} is no event channel")
        if not channels:
            cli.complain(f"there are no event channels of group {group}")
            cli.stop(cli.NO)
        with replacing(path / f"{group}.ior") as file:
            file.write(format_channels(group, channels).encode())


@click.command(
    context_settings=_settings,
    epilog="Exit status: 0 all bound; 1 something else is bound to a name; 2 wrong use, or something could not be read. Of the "
    "real command only -f is documented; -M, and what it does about names that are bound, is this command's own.",
)
@click.option(
    "-f",
    "file",
    metavar="file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file that esgetchnlior wrote.",
)
@_system
@cli.debug_option
def esetchnlior(file: Path, system: str | None) -> None:
    """Bind the event channels of a file in the Naming Service of the node that OD_HOME names.

    The file is read whole before anything is bound. What is bound already stays as it is; that is an error if it is anything else
    than what the file has.
    """
    with mistakes():
        try:
            channels = parse_channels(file.read_text(encoding="utf-8"))
        except (ReferenceFormatError, UnicodeDecodeError) as error:
            cli.complain(f"{file}: {error}")
            cli.stop(cli.WRONG_USE)
        with administer(Node.from_environment(system)) as node:
            root = OwnContexts(node.names).root
            others = []
            for channel in channels:
                name = name_of(channel.name)
                with answers(channel.name):
                    try:
                        root.bind(name, channel.reference)
                    except AlreadyBound:
                        if IOR.from_iop(root.resolve(name)) != channel.reference:
                            others.append(channel.name)
        for shown in map(show_name, others):
            cli.complain(f"{shown} is bound to something else; delete it first: OD_or_adm -d -n {shown}")
        if others:
            cli.stop(cli.NO)


def main_get(argv: Sequence[str] | None = None) -> int:
    """Run `esgetchnlior` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(esgetchnlior, argv, name="esgetchnlior")


def main_set(argv: Sequence[str] | None = None) -> int:
    """Run `esetchnlior` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(esetchnlior, argv, name="esetchnlior")
