"""The command `odlistns`: show what is bound in the Naming Service of a node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

import click

from iiop import iop
from iiop.exceptions import OBJECT_NOT_EXIST
from iiop.idl import without_prefix
from iiop_tools import cli
from iiop_tools.registering import answers, mistakes, name_of
from ior import IOR
from naming.administration import LoadBalancingOption
from naming.changes import ROOT, ContextId, ObjectGroup
from naming.listings import (
    GROUP,
    PAGE_WIDTH,
    ListedBinding,
    ListedInformation,
    ListingError,
    differences,
    format_bindings,
    format_names,
    parse_bindings,
    show_name,
    type_letter,
)
from naming.names import format_name
from naming.node import Node
from naming.node_server import administer
from naming.own_contexts import OwnContexts
from naming.types import NAMING_CONTEXT_EXT_ID, NAMING_CONTEXT_ID, BindingType, Name, NameComponent, NotFound

__all__ = ["main"]


@dataclass(frozen=True, slots=True)
class _Found:
    """Hold a binding; the reference is None where nobody needed it, and that of a group always."""

    name: Name
    binding_type: BindingType
    reference: iop.IOR | None
    group: ObjectGroup | None = None

    @property
    def letter(self) -> str:
        return type_letter(self.binding_type) if self.group is None else GROUP


@click.command(
    context_settings={"help_option_names": ["--help"]},
    epilog="Exit status: 0 listed; 1 the name is not bound or no context, or --compare found differences; 2 wrong use, or the "
    "node cannot be asked. Of the real command only -l, -R and the name are documented, and the row of a context: -M, and "
    "everything said here about other rows and their order, is this command's own.",
)
@click.option("-l", "long", is_flag=True, help="Show repository ids, address, and object key: of a context, its id.")
@click.option("-R", "recursive", is_flag=True, help="Show what is in the contexts too.")
@click.option("-M", "system", metavar="system", help="The extended system to ask; else the one IS_SYSTEM names.")
@click.option(
    "--width",
    type=click.IntRange(0),
    metavar="COLUMNS",
    help=f"Where -l goes on in the next line; {PAGE_WIDTH}, the manual's, if left out; 0 for a line a binding.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, with whole references.")
@click.option(
    "--compare",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Print how a listing made with -l, of this or of Interstage's odlistns, differs (<) from what is here (>).",
)
@click.argument("name", required=False)
@cli.debug_option
def odlistns(
    long: bool,
    recursive: bool,
    system: str | None,
    width: int | None,
    as_json: bool,
    compare: TextIO | None,
    name: str | None,
) -> None:
    """List the Naming Service of the node that OD_HOME names, or the context NAME of it.

    It asks the server that runs, or reads the folder if none does. Names are shown whole, so that they can be given to OD_or_adm
    -d -n, sorted by their components, each context before what is in it; so servers with the same bindings give the same text.
    Of a context that is bound more than once, the content is shown at the first name; that of contexts of other servers is not.
    c stands for a context, o for an object, g for an object group, of which the first member is shown, and the default object in
    a line of its own; `nill_oref` for a nil reference, () for one without an IIOP address.
    """
    if not long and (width is not None or compare is not None):
        raise click.UsageError("--width and --compare go with -l")
    if as_json and (width is not None or compare is not None):
        raise click.UsageError("--json goes without --width and --compare")
    with mistakes():
        start = () if name is None else name_of(name)
        with administer(Node.from_environment(system), reading=True) as node, answers(name or "/"):
            found = _listed(OwnContexts(node.names), node.load_balancing, start, recursive, long or as_json)
            if as_json:
                click.echo(json.dumps([_as_json(each) for each in found], indent=2, ensure_ascii=False))
            elif compare is not None:
                _compare(compare, [_row(each) for each in found])
            elif long:
                click.echo(format_bindings(map(_row, found), PAGE_WIDTH if width is None else width or None), nl=False)
            else:
                click.echo(format_names((format_name(each.name), each.letter) for each in found), nl=False)


def _listed(contexts: OwnContexts, balancing: LoadBalancingOption, start: Name, recursive: bool, long: bool) -> Iterator[_Found]:
    """Yield what is bound in a context, and where asked for in those below it, each of them once."""
    key = ROOT if not start else _context_named(contexts, start)
    seen = {key}
    levels = [_sorted(contexts, key, start)]
    groups = {key: _groups(balancing, key)}
    while levels:
        binding = next(levels[-1], None)
        if binding is None:
            levels.pop()
            continue
        name, context, binding_type = binding
        is_context = binding_type is BindingType.ncontext
        reference = None
        if name[-1] in groups[context]:
            with suppress(NotFound):  # unbound since it was listed
                yield _Found(name, binding_type, None, balancing.group(name))
            continue
        if long or (recursive and is_context):
            try:
                reference = contexts.context(context).resolve(name[-1:])
            except NotFound:  # unbound since it was listed
                continue
        yield _Found(name, binding_type, reference)
        if recursive and is_context and reference is not None:
            below = contexts.key(reference)
            if below is not None and below not in seen:
                seen.add(below)
                groups[below] = _groups(balancing, below)
                levels.append(_sorted(contexts, below, name))


def _sorted(contexts: OwnContexts, key: ContextId, name: Name) -> Iterator[tuple[Name, ContextId, BindingType]]:
    """Yield names, the contexts they are bound in, and their types; none if the context was destroyed, which is complained of."""
    try:
        bindings = list(contexts.bindings(contexts.context(key)))
    except OBJECT_NOT_EXIST:
        _complain_of_destroyed(name, key)
        return
    bindings.sort(key=lambda binding: (binding.binding_name[0].id, binding.binding_name[0].kind))
    for binding in bindings:
        yield (*name, *binding.binding_name), key, binding.binding_type


def _groups(balancing: LoadBalancingOption, key: ContextId) -> frozenset[NameComponent]:
    """Return which names in a context are those of groups; none if it was destroyed."""
    try:
        return frozenset(balancing.groups(key))
    except OBJECT_NOT_EXIST:
        return frozenset()


def _context_named(contexts: OwnContexts, name: Name) -> ContextId:
    reference = contexts.root.resolve(name)
    key = contexts.key(reference)
    if key is None:
        foreign = without_prefix(reference.type_id) in map(without_prefix, (NAMING_CONTEXT_ID, NAMING_CONTEXT_EXT_ID))
        cli.complain(f"{show_name(format_name(name))} is {'a context of another server' if foreign else 'no context'}")
        cli.stop(cli.NO)
    try:
        contexts.context(key).to_name("x")
    except OBJECT_NOT_EXIST:
        _complain_of_destroyed(name, key)
        cli.stop(cli.NO)
    return key


def _complain_of_destroyed(name: Name, key: ContextId) -> None:
    cli.complain(f"{show_name(format_name(name))}: the context {key} is bound here, but was destroyed")


def _row(found: _Found) -> ListedBinding:
    if found.group is not None:
        return ListedBinding.of_group(format_name(found.name), found.group.members, found.group.default_object)
    assert found.reference is not None
    return ListedBinding.of(format_name(found.name), found.binding_type, found.reference)


def _as_json(found: _Found) -> dict[str, object]:
    if found.group is not None:
        return {
            "name": format_name(found.name),
            "type": "group",
            "group": found.group.group,
            "members": [str(IOR.from_iop(member)) for member in found.group.members],
            "default_object": str(IOR.from_iop(found.group.default_object)),
        }
    assert found.reference is not None
    information = ListedInformation.of(found.reference, found.binding_type)
    address = information.address
    return {
        "name": format_name(found.name),
        "type": found.binding_type.name,
        "repository_id": found.reference.type_id,
        "host": address and address.host,
        "port": address and address.port,
        "version": address and str(address.version),
        "detail": information.detail,
        "reference": str(IOR.from_iop(found.reference)),
    }


def _compare(file: TextIO, here: list[ListedBinding]) -> None:
    try:
        there = parse_bindings(file.read())
    except (ListingError, UnicodeDecodeError) as error:
        cli.complain(f"{file.name}: {error}")
        cli.stop(cli.WRONG_USE)
    found = differences(there, here)
    for difference in found:
        for mark, row in (("<", difference.one), (">", difference.other)):
            if row is not None:
                click.echo(f"{mark} {format_bindings([row], None, headings=False)}", nl=False)
    if found:
        cli.stop(cli.NO)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `odlistns` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(odlistns, argv)
