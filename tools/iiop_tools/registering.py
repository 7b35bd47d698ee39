"""What the commands share that act on a node as Interstage's do: its folder, what references are made of, how they fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from iiop.exceptions import DeadlineExceeded, FailoverExhausted, ReferenceFormatError, SystemException, TransportError
from iiop_tools import cli
from naming.initial_hosts import InitialHost, InitialHosts
from naming.names import format_name, parse_name
from naming.node import Node, NodeError
from naming.registration import LOCALES, MAX_ID, Registration
from naming.store import StoreError
from naming.types import AlreadyBound, CannotProceed, InvalidName, Name, NotEmpty, NotFound, NotFoundReason

__all__ = [
    "NODE_HELP",
    "Made",
    "answers",
    "made_of",
    "mistakes",
    "name_of",
    "reference_options",
    "system_option",
]

VERSIONS = {"1.0": (1, 0), "1.1": (1, 1), "1.2": (1, 2)}

NODE_HELP = (
    "It acts on the node whose folder OD_HOME names: through the node's server (nstool serve --node) if one runs, else on the "
    "folder itself, while others wait. The folder of an extended system is $OD_SYSTEMS/<system>, or $OD_HOME/system/<system>."
)

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Made:
    """Hold the options that say what a reference is made of, as they were given."""

    interface_id: str | None
    implementation_id: str | None
    host: str | None
    port: int | None
    locale: str | None
    version: str | None

    def registration(
        self,
        node: Node,
        *,
        ssl: bool = False,
        proxy_file: Path | None = None,
        reference_data: str | None = None,
        longest: int = MAX_ID,
    ) -> Registration:
        """Return the registration, with what was left out from the node.

        Args:
            node: says what was left out.
            ssl: `-s`.
            proxy_file: `-x`.
            reference_data: `-r`.
            longest: characters that the command takes for an id or reference data.

        Raises:
            ReferenceFormatError, NodeError: what no reference can be made of.
            OSError: the proxy file cannot be read.
        """
        assert self.interface_id is not None
        for what, text in (
            ("interface repository id", self.interface_id),
            ("implementation repository id", self.implementation_id),
            ("object's reference data", reference_data),
        ):
            if len(text or "") > longest:
                raise ReferenceFormatError(f"{what} of {len(text or '')} characters, {longest} are allowed", text=text or "")
        host, port = (node.host_name, node.port) if self.host is None or self.port is None else (self.host, self.port)
        return Registration(
            self.interface_id,
            host,
            port,
            self.implementation_id or "",
            VERSIONS[self.version] if self.version else None,
            self.locale,
            (node.ssl_port or port) if ssl else None,
            _proxies(proxy_file) if proxy_file is not None else (),
            reference_data or "",
        )

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            UsageError: they do.
        """
        if (self.host is None) is not (self.port is None):
            raise click.UsageError("-h and -p go together")
        if self.locale is not None and self.version is not None:
            raise click.UsageError("-L and -v exclude each other")


def _proxies(path: Path) -> tuple[InitialHost, ...]:
    proxies = InitialHosts.read(path).hosts
    if not proxies:
        raise ReferenceFormatError(f"{path}: no host and port in it")
    return proxies


def reference_options(command: _F) -> _F:
    """Give a command `-c -a -h -p -L -v`, for `made_of`."""
    options = (
        click.option("-c", "interface_id", metavar="IntfID", help="Interface repository id, as IDL:TDsample/tdtest:1.0."),
        click.option("-a", "implementation_id", metavar="ImplID", help="Implementation repository id; the IntfID if left out."),
        click.option("-h", "host", metavar="HostName", help="Host in the reference, with -p; the node's own if left out."),
        click.option(
            "-p",
            "port",
            metavar="PortNum",
            type=click.IntRange(1, 65535),
            help="Port in the reference, with -h; else the node's.",
        ),
        click.option(
            "-L",
            "locale",
            metavar="Locale",
            type=click.Choice(sorted(LOCALES)),
            help=f"Code system of the server, told in the reference, of IIOP 1.2 then: {', '.join(sorted(LOCALES))}.",
        ),
        click.option(
            "-v",
            "version",
            metavar="version",
            type=click.Choice(sorted(VERSIONS)),
            help=f"IIOP version: {', '.join(sorted(VERSIONS))}.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def made_of(options: Mapping[str, Any]) -> Made:
    """Return what `reference_options` were given."""
    return Made(*(options[name] for name in Made.__slots__))


def system_option(command: _F) -> _F:
    """Give a command `-M`."""
    text = "Extended system; else the one IS_SYSTEM names, else the default system."
    return click.option("-M", "system", metavar="system", help=text)(command)


def name_of(text: str) -> Name:
    """Return the name that a stringified name says.

    Raises:
        ReferenceFormatError: it is none.
    """
    if text.startswith("/"):
        raise ReferenceFormatError("a name begins without a slash (that is how it was before V3)", text=text)
    return parse_name(text)


@contextlib.contextmanager
def mistakes() -> Iterator[None]:
    """End the command with one line, as wrong use, where its arguments, the node or the store cannot be used or asked."""
    try:
        yield
    except (TransportError, DeadlineExceeded, FailoverExhausted) as error:
        cli.complain(f"the Naming Service of the node does not answer: {' '.join(str(error.__cause__ or error).split())}")
        cli.stop(cli.WRONG_USE)
    except SystemException as error:
        cli.complain(f"the Naming Service of the node answers {error}")
        cli.stop(cli.WRONG_USE)
    except (NodeError, ReferenceFormatError, StoreError) as error:
        cli.complain(cli.printable(str(error)))
        cli.stop(cli.WRONG_USE)


@contextlib.contextmanager
def answers(name: str, *, wanted: str = "no naming context", taken: str = "") -> Iterator[None]:
    """Say in a line what the node's server answers about a name, and end the command.

    Args:
        name: as it was typed.
        wanted: what to say of something that is of another kind than the last component should be.
        taken: what `OD_or_adm -d` takes to delete what is there already.
    """
    try:
        yield
        return
    except NotFound as error:
        if error.why is NotFoundReason.missing_node:
            what = "is not there"
        elif error.why is NotFoundReason.not_object or len(error.rest_of_name) == 1:
            what = f"is {wanted}"
        else:
            what = "is no naming context"
        line = f"{name}: {format_name(error.rest_of_name[:1])} {what}"
    except AlreadyBound:
        line = f"{name} is there already; delete it first: OD_or_adm -d {taken}" if taken else f"{name} has it already"
    except InvalidName:
        line = f"{name!r} cannot be a name here"
    except NotEmpty:
        line = f"{name} is not empty: delete what is in it first"
    except CannotProceed as error:
        line = f"{name}: {format_name(error.rest_of_name)} is in another server: delete it there"
    cli.complain(cli.printable(line))
    cli.stop(cli.NO)
