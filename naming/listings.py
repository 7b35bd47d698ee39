r"""The listings of Interstage's commands as text: `OD_or_adm -l` shows initial services, `odlistns -l` bindings.

Knows layouts, and references as far as these show them; no servers, no files. The manuals print eleven initial services and one
context. Decided here, as they are silent: the row of an object looks like that of a context, with `o` for the type; what stands
last is the object key, escaped as in corbaloc (which for a context of ours is its id, as documented); of several addresses the
first is shown; ids are shown without `omg.org/`, as in all of Interstage's; a nil reference is `nill_oref`, and `()` is
one that has no IIOP address. Names are stringified names.

Invariants: `parse_bindings(format_bindings(rows, width)) == rows` for every width, and so for initial services that are not nil
(of the others the layout keeps nothing). What peers chose cannot break a row: characters that are not printable, and blanks where
they would mislead, are written `\xNN`, `\uNNNN` or `\UNNNNNNNN`.

Source: High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2 (bindings) and 4.5.6.3 (initial services).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from iiop.endpoints import endpoints
from iiop.exceptions import IIOPError
from iiop.idl import without_prefix
from iiop.iop import IOR
from iiop.iop import NIL as NIL_REFERENCE
from iiop.profile import Version
from ior.text import escape_key
from naming.types import NAMING_CONTEXT_EXT_ID, NAMING_CONTEXT_ID, BindingType

__all__ = [
    "GROUP",
    "Difference",
    "ListedAddress",
    "ListedBinding",
    "ListedInformation",
    "ListedService",
    "ListingError",
    "PAGE_WIDTH",
    "differences",
    "format_bindings",
    "format_initial_services",
    "format_names",
    "parse_bindings",
    "parse_initial_services",
    "read_name",
    "show_name",
    "type_letter",
]

PAGE_WIDTH = 88
"""Columns of the rows in the manual, which go on in the first column of the next line."""

GROUP = "g"
NIL = "nill_oref"
_HEADINGS = ("Name(Type)  Object information(detail)", "            Default object information(detail)")
_NAME_COLUMNS, _ID_COLUMNS, _BINDING_COLUMNS = 29, 30, 11
_OBJECT_ID = "IDL:CORBA/Object:1.0"

_ADDRESS = re.compile(r"\((.*):([0-9]{1,5}):([0-9]{1,3})\.([0-9]{1,3}):([^:]*)\)")
_NO_ADDRESS = "()"
_SERVICE = re.compile(r"(\S+)\s+(\S+)(?:\s+(\(\S*\)))?\s*")
_BINDING = re.compile(r"(\S.*)\(([A-Za-z]+)\)\s+(\S.*)")
_PIECES = re.compile(r"[^: ]*(?:[: ]|$)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))|(\\.)")


class ListingError(IIOPError):
    """Report text that is no listing.

    Attributes:
        reason: what is wrong.
        line: number of the line, the first is 1.
    """

    def __init__(self, reason: str, line: int) -> None:
        self.reason = reason
        self.line = line
        super().__init__(f"line {line}: {reason}")


@dataclass(frozen=True, slots=True)
class ListedAddress:
    """Hold an address as `(vhost:8002:1.0:)` shows it.

    Attributes:
        host: name or address.
        port: 0 to 65535.
        version: of IIOP.
        last: empty in every sample, and in what is made here; presumably a code system.
    """

    host: str
    port: int
    version: Version
    last: str = ""

    @classmethod
    def of(cls, reference: IOR) -> ListedAddress | None:
        """Return the first address of a reference, None if it has none."""
        for endpoint in endpoints(reference):
            return cls(endpoint.host, endpoint.port, endpoint.version)
        return None


@dataclass(frozen=True, slots=True)
class ListedService:
    """Hold a row of `OD_or_adm -l`.

    Attributes:
        name: of the initial service; empty where a listing does not say.
        repository_id: empty for a nil reference.
        address: None if there is none.
    """

    name: str
    repository_id: str
    address: ListedAddress | None

    @classmethod
    def of(cls, name: str, reference: IOR) -> ListedService:
        """Return the row of a reference."""
        return cls(name, "" if reference.is_nil else _repository_id(reference, _OBJECT_ID), ListedAddress.of(reference))


@dataclass(frozen=True, slots=True)
class ListedInformation:
    """Hold what a row of `odlistns -l` says about one reference.

    Attributes:
        repository_ids: most derived first; none for a nil reference.
        address: None if there is none.
        detail: the context id, or the object key as corbaloc writes it.
    """

    repository_ids: tuple[str, ...]
    address: ListedAddress | None
    detail: str = ""

    @classmethod
    def of(cls, reference: IOR, binding_type: BindingType = BindingType.nobject) -> ListedInformation:
        """Return what is shown of a reference; of a context that says no type, that it is a NamingContext."""
        if reference.is_nil:
            return cls((), None)
        context = without_prefix(NAMING_CONTEXT_ID)
        type_id = _repository_id(reference, context if binding_type is BindingType.ncontext else _OBJECT_ID)
        bases = (context,) if type_id == without_prefix(NAMING_CONTEXT_EXT_ID) else ()
        key = next((escape_key(endpoint.object_key) for endpoint in endpoints(reference)), "")
        return cls((type_id, *bases), ListedAddress.of(reference), key)


@dataclass(frozen=True, slots=True)
class ListedBinding:
    """Hold a row of `odlistns -l`.

    Attributes:
        name: stringified.
        type: `c` for a context; `o` for an object and `g` for a group are ours.
        information: about what is bound.
        default: about the default object of a load-balance group, in a line of its own.
    """

    name: str
    type: str
    information: ListedInformation
    default: ListedInformation | None = None

    @classmethod
    def of(cls, name: str, binding_type: BindingType, reference: IOR) -> ListedBinding:
        """Return the row of a binding."""
        return cls(name, type_letter(binding_type), ListedInformation.of(reference, binding_type))

    @classmethod
    def of_group(cls, name: str, members: Sequence[IOR], default_object: IOR) -> ListedBinding:
        """Return the row of a load-balance object group: what is shown of it is its first member."""
        default = None if default_object.is_nil else ListedInformation.of(default_object)
        return cls(name, GROUP, ListedInformation.of(members[0] if members else NIL_REFERENCE), default)


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold a name under which two listings show different things; None where one of them does not have it."""

    name: str
    one: ListedBinding | None
    other: ListedBinding | None


def format_initial_services(rows: Iterable[ListedService]) -> str:
    """Write what `OD_or_adm -l` prints."""
    return "".join([_service_lines(row) for row in rows])


def parse_initial_services(text: str) -> tuple[ListedService, ...]:
    """Read what `OD_or_adm -l` prints, of ours or of Interstage's.

    Raises:
        ListingError: it is something else.
    """
    rows: list[ListedService] = []
    begun: tuple[str, str] | None = None
    number = 0
    for number, line in enumerate(text.splitlines(), 1):
        if begun is not None:
            rows.append(ListedService(*begun, _parse_address(line.strip(), number)))
            begun = None
        elif line.strip() == NIL:
            rows.append(ListedService("", "", None))
        elif line.strip():
            match = _SERVICE.fullmatch(line)
            if match is None:
                raise ListingError("not of the form: name, interface repository id, (host:port:version:)", number)
            begun = (_read(match[1]), _read(match[2]))
            if match[3]:
                rows.append(ListedService(*begun, _parse_address(match[3], number)))
                begun = None
    if begun is not None:
        raise ListingError(f"the address of {begun[0]} is missing behind it", number)
    return tuple(rows)


def format_names(bindings: Iterable[tuple[str, str]]) -> str:
    """Write what `odlistns` prints without `-l`, which no manual shows: stringified names, and letters for their types."""
    return "".join([f"{line}\n" for line in ["Name(Type)", *[_name_and_type(name, letter) for name, letter in bindings]]])


def format_bindings(rows: Iterable[ListedBinding], width: int | None = PAGE_WIDTH, *, headings: bool = True) -> str:
    """Write what `odlistns -l` prints.

    Args:
        rows: in the order to show them in.
        width: columns after which a row goes on in the next line, behind a `:` or a blank; None for never.
        headings: whether to begin with them.
    """
    lines = list(_HEADINGS) if headings else []
    for row in rows:
        start = _name_and_type(row.name, row.type)
        lines += _wrapped(f"{start:<{_BINDING_COLUMNS}} ", _information(row.information), width)
        if row.default is not None:
            lines += _wrapped(" " * (_BINDING_COLUMNS + 1), _information(row.default), width)
    return "".join([f"{line}\n" for line in lines])


def parse_bindings(text: str) -> tuple[ListedBinding, ...]:
    """Read what `odlistns -l` prints, of ours or of Interstage's, wherever its rows are wrapped; headings may be missing.

    Raises:
        ListingError: it is something else.
    """
    rows: list[ListedBinding] = []
    for line, number in _unwrapped(text):
        match = _BINDING.fullmatch(line)
        if match is not None:
            rows.append(ListedBinding(read_name(match[1]), match[2], _parse_information(match[3], number)))
        elif line[0].isspace() and rows and rows[-1].default is None:
            row = rows.pop()
            default = _parse_information(line.strip(), number)
            rows.append(ListedBinding(row.name, row.type, row.information, default))
        else:
            raise ListingError("not of the form: name(type), repository ids, (host:port:version:), detail", number)
    return tuple(rows)


def show_name(name: str) -> str:
    """Return a stringified name as it stands in a listing, all of it printable."""
    shown = _visible(name)
    return _escaped(" ") + shown[1:] if shown.startswith(" ") else shown


def read_name(text: str) -> str:
    """Return the stringified name that `show_name` shows."""
    return _read(text, name=True)


def differences(one: Iterable[ListedBinding], other: Iterable[ListedBinding]) -> tuple[Difference, ...]:
    """Compare two listings, as the manual has it done for two servers; their order does not count.

    Returns:
        In the order of names; none if the listings say the same.
    """
    first, second = ({row.name: row for row in rows} for rows in (one, other))
    names = sorted(first.keys() | second.keys())
    return tuple([Difference(n, first.get(n), second.get(n)) for n in names if first.get(n) != second.get(n)])


def _repository_id(reference: IOR, unknown: str) -> str:
    return without_prefix(reference.type_id) or unknown


def _service_lines(row: ListedService) -> str:
    if not row.repository_id:
        return f"{NIL}\n"
    name, repository_id = _visible_token(row.name), _visible_token(row.repository_id)
    if len(repository_id) > _ID_COLUMNS:
        return f"{name:<{_NAME_COLUMNS}} {repository_id}\n{'':{_NAME_COLUMNS}} {_address(row.address)}\n"
    return f"{name:<{_NAME_COLUMNS}} {repository_id:<{_ID_COLUMNS}} {_address(row.address)}\n"


def _address(address: ListedAddress | None) -> str:
    if address is None:
        return _NO_ADDRESS
    return f"({_visible_token(address.host)}:{address.port}:{address.version}:{_visible_token(address.last)})"


def _parse_address(text: str, line: int) -> ListedAddress | None:
    if text == _NO_ADDRESS:
        return None
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ListingError(f"{text!r} is no address of the form (host:port:version:)", line)
    return ListedAddress(_read(match[1]), int(match[2]), Version(int(match[3]), int(match[4])), _read(match[5]))


def _information(information: ListedInformation) -> str:
    if not information.repository_ids:
        return NIL
    ids = [_visible_token(repository_id) for repository_id in information.repository_ids]
    return ", ".join([*ids, _address(information.address), *([information.detail] if information.detail else ())])


def _parse_information(text: str, line: int) -> ListedInformation:
    if text == NIL:
        return ListedInformation((), None)
    parts = re.split(r",\s+", text)
    place = next((index for index, part in enumerate(parts) if part.startswith("(")), 0)
    if place == 0 or len(parts) > place + 2:
        raise ListingError("not of the form: repository ids, (host:port:version:), detail", line)
    ids = tuple([_read(part) for part in parts[:place]])
    return ListedInformation(ids, _parse_address(parts[place], line), "".join(parts[place + 1 :]))


def _wrapped(start: str, text: str, width: int | None) -> list[str]:
    """Return the lines of a row: `start`, then `text` in pieces that end behind a colon or a blank."""
    if width is None:
        return [start + text]
    first, *pieces = _PIECES.findall(text)
    lines = [start + first]
    for piece in pieces:
        if len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _unwrapped(text: str) -> list[tuple[str, int]]:
    """Return the rows of a listing, each as one line, with the number of the line it begins in.

    No row's continuation looks like the beginning of one: behind a `)` there, a comma stands before the blank.
    """
    rows: list[tuple[str, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.split() in [heading.split() for heading in _HEADINGS]:
            continue
        if line[0].isspace() or _BINDING.fullmatch(line) or not rows:
            rows.append((line, number))
        else:
            before, first = rows[-1]
            rows[-1] = (f"{before} {line}" if before.endswith(",") else before + line, first)
    return rows


def type_letter(binding_type: BindingType) -> str:
    """Return the letter that stands for the type of a binding that is no group."""
    return "c" if binding_type is BindingType.ncontext else "o"


def _name_and_type(name: str, letter: str) -> str:
    return f"{show_name(name)}({letter})"


def _visible(text: str) -> str:
    return "".join([character if character.isprintable() else _escaped(character) for character in text])


def _visible_token(text: str) -> str:
    """Return text of which no character ends a column, nor looks like an address where none is."""
    shown = _visible(text.replace("\\", "\\\\")).replace(" ", _escaped(" "))
    return _escaped("(") + shown[1:] if shown.startswith("(") else shown


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _read(text: str, *, name: bool = False) -> str:
    """Return what was made visible; in a stringified name, a backslash keeps what it escapes."""
    pair: Callable[[str], str] = str if name else lambda escape: escape[1]
    return _ESCAPE.sub(lambda match: pair(match[4]) if match[4] else chr(int(match[1] or match[2] or match[3], 16)), text)
