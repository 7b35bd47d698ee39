"""The command `OD_or_adm`: the references, services, groups and contexts of a node.

Thin: reads arguments as Interstage documents them, lets `naming.registration` make the reference, and the node's server, or the
folder where none runs, take it (`naming.node_server`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from iiop.exceptions import NO_PERMISSION, ReferenceFormatError
from iiop.iop import NIL
from iiop_tools import cli
from iiop_tools.registering import NODE_HELP, Made, answers, made_of, mistakes, name_of, reference_options, system_option
from ior import IOR, Corbaloc, parse_object_url
from naming.administration import InitialService
from naming.interfaces import NamingContextExt
from naming.listings import ListedService, format_initial_services
from naming.node import Node
from naming.node_server import administer
from naming.registration import MAX_ID
from naming.services import MAX_SERVICE_ID, is_service_id
from naming.types import NotFound

__all__ = ["main"]

_FLAGS = {
    "interface_id": "-c",
    "implementation_id": "-a",
    "host": "-h",
    "port": "-p",
    "ssl": "-s",
    "locale": "-L",
    "version": "-v",
    "proxy_file": "-x",
    "reference_data": "-r",
    "file": "-o",
    "service": "-i",
    "name": "-n",
    "delete": "-d",
    "listing": "-l",
    "group": "-g",
    "context": "-z",
    "url": "-u",
    "check": "--check",
    "as_json": "--json",
}
_REFERENCE = {"-c", "-a", "-h", "-p", "-L", "-v"}


@click.command(context_settings={"help_option_names": ["--help"]}, epilog=NODE_HELP)
@reference_options
@click.option("-s", "ssl", is_flag=True, help="Tell in the reference that the object is reached by TLS.")
@click.option(
    "-x",
    "proxy_file",
    metavar="proxy_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Tell in the reference the addresses in this file, `host port` a line, by which the object is reached too.",
)
@click.option("-r", "reference_data", metavar="refdata", help="Reference data: goes to the end of the object key.")
@click.option(
    "-o", "file", metavar="file", type=click.Path(dir_okay=False, path_type=Path), help="Write the reference to this file."
)
@click.option("-i", "service", metavar="service", help="Register the reference as this initial service, or delete that.")
@click.option("-n", "name", metavar="name", help="Bind the reference under this name, or delete what is bound.")
@click.option("-d", "delete", is_flag=True, help="Delete instead of create.")
@click.option("-l", "listing", is_flag=True, help="List the initial services.")
@click.option("-g", "group", metavar="Group", help="Create an object group of this name, bound by -n; with -c a default object.")
@click.option("-z", "context", metavar="name", help="Create a naming context under this name, or delete it.")
@click.option("-u", "url", metavar="URLname", help="Bind the context that this corbaloc: or IOR: names, instead of a new one.")
@click.option("--check", is_flag=True, help="With -l: exit status 1 if a service is not at the node's host.")
@click.option("--json", "as_json", is_flag=True, help="With -l: write JSON.")
@system_option
@cli.debug_option
def od_or_adm(system: str | None, **options: Any) -> None:
    """Register object references, as Interstage's OD_or_adm.

    \b
    OD_or_adm -c IntfID [-a ImplID] [-h HostName -p PortNum] [-s] [-L Locale|-v version]
              [-x proxy_file] [-r refdata] {-o file | -i service | -n name} [-M system]
    OD_or_adm -d {-i service | -n name} [-M system]
    OD_or_adm -l [--check] [--json] [-M system]
    OD_or_adm [-c IntfID [-a ImplID] [-h HostName -p PortNum] [-L Locale|-v version]]
              -g Group -n name [-M system]
    OD_or_adm -d -n name [-M system]
    OD_or_adm -z name [-u URLname] [-M system]
    OD_or_adm -d -z name [-M system]

    -d -z ends a context, which has to be empty, with its last name; of a context that other names lead to, of the root, and of
    those of other servers it takes away the name alone.

    With -h naming the virtual host, calls are distributed one by one; without it, the reference carries the node's own host, and
    clients are distributed when they obtain the Naming Service reference.

    Nothing public says what these do in Interstage, so here it is ours: -d -z; the default of -a; -L (a code set component); -s
    (an SSL component with the port IIOP_ssl_port of etc/config, else that of the reference); -x (alternate addresses); -r; -u;
    -g, whose Group is only kept (object_group_selection in etc/config says which member a client gets: round_robin, or first);
    what -p and -v may be, what file -o writes (a stringified reference), and every exit status. --check and --json are ours.
    References with -L, -s or -x are of IIOP 1.2 unless -v says 1.1; others of 1.0 unless -v says otherwise.

    Exit status: 0 done; 1 the node says no, or --check found something; 2 wrong use, or the node cannot be used.
    """
    with mistakes():
        form = _form(options, made_of(options))
        _FORMS[form](_Asked(Node.from_environment(system), made_of(options), options))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Hold what a form works with."""

    node: Node
    made: Made
    options: dict[str, Any]

    def reference(self) -> IOR:
        """Return the reference that the options say."""
        return self.made.registration(
            self.node,
            ssl=self.options["ssl"],
            proxy_file=self.options["proxy_file"],
            reference_data=self.options["reference_data"],
        ).reference()


def _form(options: dict[str, Any], made: Made) -> str:
    """Return which of the documented forms it is.

    Raises:
        UsageError: none of them.
    """
    given = {flag for option, flag in _FLAGS.items() if options[option] not in (None, False)}
    if "-l" in given:
        _takes("-l", given, {"--check", "--json"})
        return "-l"
    for flag in ("--check", "--json"):
        if flag in given:
            raise click.UsageError(f"{flag} goes with -l")
    if "-d" in given:
        if len(given) != 2 or not given & {"-i", "-n", "-z"}:
            raise click.UsageError("to delete, give -d, one of -i service, -n name and -z name, and nothing else")
        return "-d " + (given - {"-d"}).pop()
    if "-z" in given:
        _takes("-z", given, {"-u"})
        return "-z"
    if "-u" in given:
        raise click.UsageError("-u goes with -z")
    if "-g" in given:
        _takes("-g", given, _REFERENCE | {"-n"})
        if "-n" not in given:
            raise click.UsageError("-g needs -n name")
        if "-c" not in given and given & _REFERENCE:
            raise click.UsageError(f"{' '.join(sorted(given & _REFERENCE))} without -c: a default object needs an IntfID")
    elif "-c" not in given:
        raise click.UsageError("-c IntfID is missing")
    made.check()
    if "-g" not in given and len(given & {"-o", "-i", "-n"}) != 1:
        raise click.UsageError("give exactly one of -o file, -i service and -n name")
    return "-g" if "-g" in given else (given & {"-o", "-i", "-n"}).pop()


def _takes(flag: str, given: set[str], more: set[str]) -> None:
    if wrong := given - more - {flag}:
        raise click.UsageError(f"{flag} does not go with {' '.join(sorted(wrong))}")


def _write(asked: _Asked) -> None:
    Path(asked.options["file"]).write_text(f"{asked.reference()}\n", encoding="ascii")


def _bind(asked: _Asked) -> None:
    text = asked.options["name"]
    name, reference = name_of(text), asked.reference()
    with administer(asked.node) as node, answers(text, taken=f"-n {text}"):
        node.names.root.bind(name, reference)


def _create_group(asked: _Asked) -> None:
    text, group = asked.options["name"], asked.options["group"]
    if not (group.isascii() and group.isprintable() and 0 < len(group) <= MAX_ID):
        raise ReferenceFormatError(f"a Group is named by 1 to {MAX_ID} printable ASCII characters", text=group)
    name, default_object = name_of(text), NIL if asked.made.interface_id is None else asked.reference()
    with administer(asked.node) as node, answers(text, taken=f"-n {text}"):
        node.load_balancing.create_group(name, group, default_object)


def _unbind(asked: _Asked) -> None:
    text = asked.options["name"]
    name = name_of(text)
    with administer(asked.node) as node, answers(text, wanted="a naming context: delete it with -d -z"):
        node.administration.delete_object(name)


def _create_context(asked: _Asked) -> None:
    text, url = asked.options["context"], asked.options["url"]
    name, other = name_of(text), None if url is None else _context_at(url)
    with administer(asked.node) as node, answers(text, taken=f"-z {text}"):
        if other is None:
            node.names.root.bind_new_context(name)
        else:
            node.names.root.bind_context(name, other)


def _context_at(url: str) -> IOR:
    if url[:4].upper() == "IOR:" or url[:9].lower() == "corbaloc:":
        parsed = parse_object_url(url)
        if isinstance(parsed, IOR):
            return parsed
        if isinstance(parsed, Corbaloc):
            return parsed.to_ior(NamingContextExt.repository_id)
    raise ReferenceFormatError("-u takes the corbaloc: or IOR: of a naming context", text=url)


def _delete_context(asked: _Asked) -> None:
    text = asked.options["context"]
    name = name_of(text)
    with administer(asked.node) as node, answers(text, wanted="no naming context: delete it with -d -n"):
        node.administration.delete_context(name)


def _register(asked: _Asked) -> None:
    service, reference = asked.options["service"], asked.reference()
    if not is_service_id(service):
        what = f"1 to {MAX_SERVICE_ID} printable ASCII characters without blanks, of which the first is not '#'"
        raise ReferenceFormatError(f"a service is named by {what}", text=service)
    with administer(asked.node) as node, answers(service, taken=f"-i {service}"), _not_own(service):
        node.administration.register_service(service, reference)


def _delete_service(asked: _Asked) -> None:
    service = asked.options["service"]
    with administer(asked.node) as node, answers(service), _not_own(service):
        try:
            node.administration.delete_service(service)
        except NotFound:
            cli.complain(f"{service} is not registered as an initial service")
            cli.stop(cli.NO)


@contextlib.contextmanager
def _not_own(service: str) -> Iterator[None]:
    try:
        yield
    except NO_PERMISSION:
        cli.complain(f"{service} is the server's own service: it cannot be registered or deleted")
        cli.stop(cli.NO)


def _list(asked: _Asked) -> None:
    with administer(asked.node, reading=True) as node, answers("-l"):
        services = node.administration.services()
    expected = asked.node.host_name
    wrong = {service.id: _host(service) for service in services if _host(service) not in ("", expected)}
    if asked.options["as_json"]:
        rows = [_row(service, wrong if asked.options["check"] else None) for service in services]
        click.echo(json.dumps({"host": expected, "services": rows}, indent=2))
    else:
        click.echo(format_initial_services(ListedService.of(service.id, service.reference) for service in services), nl=False)
    if asked.options["check"] and wrong:
        for id, host in wrong.items():
            cli.complain(cli.printable(f"{id} is at {host}, not at the node's host {expected}"))
        cli.stop(cli.NO)


def _host(service: InitialService) -> str:
    """Return the host of a service's first address, empty if it has none."""
    address = ListedService.of(service.id, service.reference).address
    return "" if address is None else address.host


def _row(service: InitialService, wrong: dict[str, str] | None) -> dict[str, Any]:
    listed = ListedService.of(service.id, service.reference)
    address = listed.address
    row: dict[str, Any] = {
        "name": service.id,
        "repository_id": listed.repository_id,
        "host": None if address is None else address.host,
        "port": None if address is None else address.port,
        "version": None if address is None else str(address.version),
        "reference": str(IOR.from_iop(service.reference)),
    }
    return row if wrong is None else {**row, "at_the_nodes_host": service.id not in wrong}


_FORMS = {
    "-o": _write,
    "-i": _register,
    "-n": _bind,
    "-g": _create_group,
    "-z": _create_context,
    "-d -i": _delete_service,
    "-d -n": _unbind,
    "-d -z": _delete_context,
    "-l": _list,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `OD_or_adm` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(od_or_adm, argv, name="OD_or_adm")
