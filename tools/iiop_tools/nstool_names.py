"""The commands of `nstool` that look at names, bind them and unbind them, in any running Naming Service.

Thin: `naming.places` finds the server, `naming.browse` looks around in it. Here is what is asked, how it is shown, and what an
answer means for the exit code.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import click

from iiop.exceptions import (
    OBJECT_NOT_EXIST,
    IIOPError,
    UserException,
)
from iiop.failover import FailoverPolicy
from iiop.net.tls import Security
from iiop_tools import cli
from iiop_tools.network import hosts_option, tls_ca_option
from iiop_tools.reasons import reason
from ior import IOR
from naming.browse import Found, context_at, descend, is_context, list_bindings
from naming.client import NameService
from naming.interfaces import NamingContext
from naming.names import format_name, parse_name
from naming.places import find_reference, open_service
from naming.types import (
    AlreadyBound,
    BindingType,
    InvalidName,
    Name,
    NotFound,
    NotFoundReason,
)

__all__ = ["COMMANDS", "EXIT_CODES", "naming_service"]

EXIT_CODES = (
    "Exit status: 0 done, 1 the answer is no (a name is not there, or taken; a context is not empty), 2 wrong use, or the server "
    "could not be asked."
)

_F = TypeVar("_F", bound=Callable[..., Any])
_TYPES = {BindingType.nobject: "object", BindingType.ncontext: "context"}


# --- asking -----------------------------------------------------------------------------------------------------------


def naming_service(command: _F) -> Callable[..., None]:
    """Give a command the argument SERVER and the options of asking it, as its first parameter `names`.

    What the server answers, or that it does not, is said in one line, and is the exit code.
    """

    @click.argument("server")
    @click.option(
        "--timeout", default=10, show_default=True, type=click.IntRange(1, 86400), help="Seconds for each host to answer a call."
    )
    @hosts_option()
    @tls_ca_option("SERVER is then an IOR, or corbaloc:ssliop:host:port/NameService. ")
    @cli.debug_option
    @functools.wraps(command)
    def ask(server: str, timeout: int, hosts: dict[str, str] | None, security: Security, **arguments: Any) -> None:
        policy = FailoverPolicy(
            deadline=math.inf, attempt_timeout=timeout, connect_timeout=min(3, timeout), rounds=1, refresh_interval=None
        )
        try:
            with open_service(server, hosts=hosts, policy=policy, learn_code_sets=True, security=security) as names:
                command(names, **arguments)
        except IIOPError as error:
            _complain(reason(error))
            cli.stop(cli.NO if isinstance(error, UserException) and not isinstance(error, InvalidName) else cli.WRONG_USE)

    return ask


def _complain(message: str) -> None:
    cli.complain(cli.printable(message))


# --- looking ----------------------------------------------------------------------------------------------------------


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name", required=False)
@click.option("-l", "--long", is_flag=True, help="Resolve each: type, repository id, host:port, name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each.")
def ls(names: NameService, name: str | None, long: bool, as_json: bool) -> None:
    """List the bindings of a context: the root, or NAME.

    In the order of the server, and as they come: a context may be of any size.
    """
    context = context_at(names, _parsed(name))
    within = names.client.stub(context, NamingContext)
    with contextlib.closing(list_bindings(names, context)) as bindings:
        for binding in bindings:
            reference = None
            if long:
                try:
                    reference = IOR.from_iop(within.resolve(binding.binding_name))
                except NotFound:
                    continue  # unbound since it was listed
            _show(Found(binding.binding_name, binding.binding_type, reference), as_json)


def _show(found: Found, as_json: bool) -> None:
    name, kind, reference = format_name(found.name), _TYPES[found.binding_type], found.reference
    if as_json:
        row: dict[str, Any] = {"name": name, "components": [[item.id, item.kind] for item in found.name], "type": kind}
        if reference is not None:
            row["repository_id"] = reference.type_id
            row["addresses"] = [str(each) for each in reference.endpoints()]
        cli.say(json.dumps(row))
    elif reference is not None:
        where = ",".join(str(each) for each in reference.endpoints()) or ("nil" if reference.is_nil else "no IIOP")
        cli.say(f"{kind:<7}  {reference.type_id or '-':<48}  {where:<21}  {name}")
    else:
        cli.say(name)


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name", required=False)
@click.option("--depth", type=click.IntRange(1), help="Levels to show; all by default.")
def tree(names: NameService, name: str | None, depth: int | None) -> None:
    """Show everything below a context: the root, or NAME.

    A context ends in `/`. One that is reached a second time, in a cycle or not, is shown as `= NAME`, where NAME is where it was
    shown before, seen from the top, which is `/`. Contexts of other servers are entered; what cannot be entered says why, and the
    exit status is 1.
    """
    above = _parsed(name)
    steps = descend(names, context_at(names, above), depth=depth)
    cli.say(format_name(above) + "/" if above else "/")
    failed = False
    for found in steps:
        line = "  " * len(found.name) + format_name(found.name[-1:])
        if found.binding_type is BindingType.ncontext:
            line += "/"
        if found.same_as is not None:
            line += f" = {format_name(found.same_as) if found.same_as else '/'}"
        if found.error is not None:
            failed = True
            line += f" ! {reason(found.error)}"
        cli.say(line)
    if failed:
        cli.stop(cli.NO)


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("pattern")
@click.option("--type", "type_pattern", metavar="PATTERN", help="Resolve each, and show those with such a repository id.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each.")
def find(names: NameService, pattern: str, type_pattern: str | None, as_json: bool) -> None:
    """Show the names that match PATTERN.

    Names are whole, from the root. In a PATTERN `*` is any text, with `/` in it too, `?` any character, and `[ab]` one of
    these. The exit status is 1 if no name matches.
    """
    any_found, failed = False, False
    for found in descend(names, names.ior, references=type_pattern is not None):
        if found.error is not None:
            failed = True
            _complain(f"{format_name(found.name)}: {reason(found.error)}")
        if not fnmatchcase(format_name(found.name), pattern):
            continue
        if type_pattern is not None and (found.reference is None or not fnmatchcase(found.reference.type_id, type_pattern)):
            continue
        any_found = True
        _show(found if as_json else Found(found.name, found.binding_type), as_json)
    if failed or not any_found:
        cli.stop(cli.NO)


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name")
def resolve(names: NameService, name: str) -> None:
    """Print the reference that NAME is bound to.

    It is an IOR; `iortool decode` says what is in it.
    """
    cli.say(str(names.resolve(_parsed(name))))


# --- changing ---------------------------------------------------------------------------------------------------------


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name")
@click.argument("reference")
@click.option("--context", "as_context", is_flag=True, help="Names lead through what is bound.")
def bind(names: NameService, name: str, reference: str, as_context: bool) -> None:
    """Bind NAME, which is not bound yet, to REFERENCE.

    REFERENCE is IOR:..., corbaloc:..., corbaname:..., or a file that holds one; `-` is standard input.
    """
    whole, bound = _parsed(name), _reference(names, reference)
    (names.root.bind_context if as_context else names.root.bind)(whole, bound)


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name")
@click.argument("reference")
@click.option("--context", "as_context", is_flag=True, help="Names lead through what is bound.")
def rebind(names: NameService, name: str, reference: str, as_context: bool) -> None:
    """Bind NAME, whether it is bound or not, to REFERENCE.

    An object is not replaced by a context, nor a context by an object. REFERENCE is as for `bind`.
    """
    whole, bound = _parsed(name), _reference(names, reference)
    (names.root.rebind_context if as_context else names.root.rebind)(whole, bound)


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name")
def unbind(names: NameService, name: str) -> None:
    """Remove the binding of NAME.

    A context lives on, perhaps with no name: `rmctx` ends it too.
    """
    whole = _parsed(name)
    names.root.unbind(whole)


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name")
@click.option("-p", "--parents", is_flag=True, help="Make the contexts above it too; one that is there is no error.")
def mkctx(names: NameService, name: str, parents: bool) -> None:
    """Make a context, and bind NAME to it."""
    whole = _parsed(name)
    for length in range(1 if parents else len(whole), len(whole) + 1):
        try:
            names.root.bind_new_context(whole[:length])
        except AlreadyBound:
            if not parents:
                raise
    if parents:
        context_at(names, whole)


@click.command(epilog=EXIT_CODES)
@naming_service
@click.argument("name")
def rmctx(names: NameService, name: str) -> None:
    """End the context that NAME is bound to, and unbind NAME.

    A context with bindings is left as it is: exit status 1. The context is ended first. Where the second step fails, this
    says so; say it again then: a context that has ended already is only unbound. Other names of the same context, if it has
    any, stay bound and lead nowhere.
    """
    whole = _parsed(name)
    reference = names.resolve(whole)
    if not is_context(names, reference):
        raise NotFound(NotFoundReason.not_context, whole[-1:])
    with contextlib.suppress(OBJECT_NOT_EXIST):  # ended by an earlier rmctx, or under another name
        names.client.stub(reference, NamingContext).destroy()
    try:
        names.root.unbind(whole)
    except IIOPError:
        _complain(f"the context has ended, but {name} is still bound to it; say it again, or unbind it")
        raise


def _parsed(name: str | None) -> Name:
    return () if name is None else parse_name(name)


def _reference(names: NameService, text: str) -> IOR:
    client = names.client
    where = "/dev/stdin" if text == "-" else text
    return find_reference(where, hosts=client.pool.hosts, policy=names.policy, security=client.security)


COMMANDS = (ls, tree, find, resolve, bind, rebind, unbind, mkctx, rmctx)
"""In the order of use."""
