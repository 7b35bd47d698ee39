"""`iortool build`, `rewrite` and `convert`: references made, and made anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from iiop.cdr import ByteOrder
from iiop.exceptions.errors import IIOPError, ReferenceFormatError
from iiop.profile import Version
from iiop_tools import cli
from iiop_tools.references import Readings, references_argument
from iiop_tools.tables import json_option, show_json
from ior.builder import DEFAULT_PORT, IORBuilder
from ior.describe import as_data
from ior.reference import IOR
from ior.registry import CODE_SETS
from ior.rewrite import read_address_map, reordered, rewritten, with_key, with_type_id
from ior.text import unescape_key
from ior.url import Address, Corbaloc, Corbaname, ObjectURL, corbaloc_of, parse_object_url

__all__ = ["build", "convert", "rewrite"]

_F = TypeVar("_F", bound=Callable[..., Any])
_PORT = click.IntRange(0, 65535)


def _key_options(command: _F) -> _F:
    command = click.option("--key-hex", metavar="HEX", help="The object key, in hexadecimal digits.")(command)
    return click.option("--key", metavar="TEXT", help="The object key; %XX for an octet that is no visible ASCII.")(command)


def _key(text: str | None, digits: str | None) -> bytes | None:
    if text is not None and digits is not None:
        raise click.UsageError("--key or --key-hex, not both")
    try:
        return bytes.fromhex(digits) if digits is not None else None if text is None else unescape_key(text)
    except ReferenceFormatError as error:
        raise click.BadParameter(str(error), param_hint="--key") from None
    except ValueError:
        raise click.BadParameter("pairs of hexadecimal digits were expected", param_hint="--key-hex") from None


def _show(given: dict[str, Any], made: ObjectURL, as_json: bool) -> None:
    if as_json:
        show_json([given | {"text": str(made)} | as_data(made)])
    else:
        cli.say(str(made))


# --- build ------------------------------------------------------------------------------------------------------------


def _address(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple([_address(context, parameter, each) for each in value])
    text = value if ":" in value.rpartition("]")[2] else f"{value}:{DEFAULT_PORT}"
    try:
        url = parse_object_url(f"corbaloc:iiop:1.2@{text}/")
    except IIOPError as error:
        raise click.BadParameter(f"{value!r}: {getattr(error, 'reason', error)}") from None
    assert isinstance(url, Corbaloc)
    if len(url.addresses) != 1 or "/" in value:
        raise click.BadParameter(f"{value!r}: host:port was expected")
    return url.addresses[0]


def _code_sets(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    names = {each.name.lower(): number for number, each in CODE_SETS.items()}
    found: list[int] = []
    for text in value.split(","):
        number = names.get(text.strip().lower())
        try:
            found.append(int(text, 0) if number is None else number)
        except ValueError:
            raise click.BadParameter(f"no code set is called {text!r}: `iortool codesets` lists them") from None
        if not 0 <= found[-1] < 1 << 32:
            raise click.BadParameter(f"{text} is no number of a code set")
    return tuple(found)


@click.command()
@click.argument("address", metavar="HOST[:PORT]", callback=_address)
@click.option("--type-id", default="", help="Repository id, as IDL:TDsample/tdtest:1.0.")
@_key_options
@click.option(
    "--iiop-version", type=click.Choice(["1.0", "1.1", "1.2"]), default="1.2", show_default=True, help="Of the profile."
)
@click.option("--alternate", metavar="HOST[:PORT]", multiple=True, callback=_address, help="One more address; may be repeated.")
@click.option("--tls-port", type=click.IntRange(1, 65535), help="Where the host speaks TLS.")
@click.option("--tls-required", is_flag=True, help="TLS only; the plain port becomes 0.")
@click.option(
    "--char",
    default="ISO-8859-1,UTF-8",
    show_default=True,
    callback=_code_sets,
    help="Code sets of text, by name or number: native, then those it is converted from and to.",
)
@click.option("--wchar", default="UTF-16", show_default=True, callback=_code_sets, help="Those of wide text.")
@click.option("--no-code-sets", is_flag=True, help="State none.")
@click.option("--orb-type", metavar="NUMBER", help="State who made it, as 0x464a0000 for Fujitsu.")
@click.option("--little-endian", is_flag=True, help="Write it in that byte order.")
@json_option
@cli.debug_option
def build(
    address: Address,
    type_id: str,
    key: str | None,
    key_hex: str | None,
    iiop_version: str,
    alternate: tuple[Address, ...],
    tls_port: int | None,
    tls_required: bool,
    char: tuple[int, ...],
    wchar: tuple[int, ...],
    no_code_sets: bool,
    orb_type: str | None,
    little_endian: bool,
    as_json: bool,
) -> None:
    """Print a new reference.

    PORT is 8002 if left out. A reference without --key has an empty object key, which few servers know.
    """
    if tls_required and tls_port is None:
        raise click.UsageError("--tls-required needs --tls-port")
    major, minor = map(int, iiop_version.split("."))
    builder = IORBuilder(type_id, byte_order=ByteOrder.LITTLE if little_endian else ByteOrder.BIG)
    port = 0 if tls_required else address.port
    builder.iiop(address.host, port, key=_key(key, key_hex) or b"", version=Version(major, minor))
    if orb_type is not None:
        builder.orb_type(_number(orb_type))
    if minor and not no_code_sets:
        builder.code_sets(char[0], wchar[0], char_conversions=char[1:], wchar_conversions=wchar[1:])
    for each in alternate:
        builder.alternate(each.host, each.port)
    if tls_port is not None:
        builder.tls(tls_port, required=tls_required)
    _show({}, builder.build(), as_json)


def _number(text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number < 1 << 32:
        raise click.BadParameter(f"{text!r} is no number of 32 bits", param_hint="--orb-type")
    return number


# --- rewrite ----------------------------------------------------------------------------------------------------------


def _host(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            Address("iiop", value.removeprefix("[").removesuffix("]"))
        except ReferenceFormatError as error:
            raise click.BadParameter(f"{value!r}: {error.reason}") from None
    return value and value.removeprefix("[").removesuffix("]")


def _order(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) < 7 for part in parts):
        raise click.BadParameter(f"{value!r}: numbers of profiles were expected, as 2,1")
    return tuple([int(part) - 1 for part in parts])


@click.command()
@references_argument
@click.option("--host", callback=_host, help="Where all addresses shall lead: alternate ones, SSL and CSI, too.")
@click.option("--port", type=_PORT, help="Of plain addresses. Port 0 beside TLS means none, and stays.")
@click.option("--tls-port", type=_PORT, help="Of addresses with TLS.")
@click.option(
    "--map", "rules", metavar="OLD=NEW", multiple=True, help="host:port=host:port, host=host or :port=:port; may be repeated."
)
@click.option(
    "--map-file", type=click.File(encoding="utf-8", errors="replace"), help="Such rules, one a line; # begins a comment."
)
@click.option("--order", callback=_order, metavar="N,N...", help="Profiles to come first, counted from 1; others follow.")
@click.option("--type-id", help="Another repository id.")
@_key_options
@json_option
@cli.debug_option
def rewrite(
    references: tuple[str, ...],
    host: str | None,
    port: int | None,
    tls_port: int | None,
    rules: tuple[str, ...],
    map_file: Any,
    order: tuple[int, ...] | None,
    type_id: str | None,
    key: str | None,
    key_hex: str | None,
    as_json: bool,
) -> None:
    """Print references that lead elsewhere.

    What is not told to change stays octet for octet. A map is applied before --host and the ports; of its rules that fit an
    address, host:port goes before host, and host before :port. Profiles that are broken, or not of IIOP, stay as they are.
    """
    object_key = _key(key, key_hex)
    lines = [*(map_file or ()), *rules]
    if not lines and all(each is None for each in (host, port, tls_port, order, type_id, object_key)):
        raise click.UsageError("say what shall change: --host, --port, --tls-port, --map, --map-file, --order, --type-id, --key")
    try:
        address_map = read_address_map(lines) if lines else None
    except ReferenceFormatError as error:
        raise click.BadParameter(str(error), param_hint="--map") from None

    def change(ior: IOR) -> IOR:
        made = rewritten(ior, host=host, port=port, tls_port=tls_port, address_map=address_map)
        made = made if object_key is None else with_key(made, object_key)
        made = made if type_id is None else with_type_id(made, type_id)
        return made if order is None else reordered(made, order)

    def change_url(url: ObjectURL) -> ObjectURL:
        if isinstance(url, IOR):
            return change(url)
        if isinstance(url, Corbaname):
            return Corbaname(corbaloc_of(change(url.corbaloc.to_ior())), url.name)
        return corbaloc_of(change(url.to_ior()))

    _each(references, change_url, as_json)


def _each(references: tuple[str, ...], make: Callable[[ObjectURL], ObjectURL], as_json: bool) -> None:
    """Print what is made of each reference; of which nothing can be made, say why."""
    readings = Readings(as_json)
    for given, url in readings.read(references):
        try:
            made = make(url)
            text = str(made)
        except IIOPError as error:
            readings.bad += 1
            readings.refuse(given, error)
        else:
            assert text
            _show(given.as_data(), made, as_json)
    readings.finish()


# --- convert ----------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("form", type=click.Choice(["ior", "corbaloc", "corbaname"], case_sensitive=False))
@references_argument
@click.option("--type-id", help="With ior: the repository id, which a URL does not say.")
@click.option("--name", help="With corbaname: the stringified name, as branch/account.kind; the context itself if left out.")
@json_option
@cli.debug_option
def convert(form: str, references: tuple[str, ...], type_id: str | None, name: str | None, as_json: bool) -> None:
    """Print references in another form.

    A corbaloc keeps addresses and object key of a reference; its type and its components are lost. A corbaname with a name
    stands for what the Naming Service says: `nstool resolve` asks it.
    """
    if type_id is not None and form != "ior":
        raise click.UsageError("--type-id is for the form ior")
    if name is not None and form != "corbaname":
        raise click.UsageError("--name is for the form corbaname")

    def converted(url: ObjectURL) -> ObjectURL:
        if form == "corbaname":
            if isinstance(url, Corbaname):
                return url if name is None else Corbaname(url.corbaloc, name)
            return Corbaname(corbaloc_of(url) if isinstance(url, IOR) else url, name or "")
        if isinstance(url, Corbaname):
            if url.name:
                reason = "only the Naming Service knows what this name stands for: `nstool resolve` asks it"
                raise ReferenceFormatError(reason, text=str(url))
            url = url.corbaloc
        if form == "corbaloc":
            return corbaloc_of(url) if isinstance(url, IOR) else url
        ior = url if isinstance(url, IOR) else url.to_ior()
        return ior if type_id is None else with_type_id(ior, type_id)

    _each(references, converted, as_json)
