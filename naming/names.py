r"""Names as text: stringified names, and the corbaname URLs that carry them.

`/` separates components, `.` separates id from kind, `\` escapes exactly those three; `.` alone is the component whose id
and kind are both empty. Text is read left to right: looking back one character for `\` takes `a\\/b` for one component.
Knows nothing of contexts and bindings.

Invariant: `parse_name(format_name(name)) == name` for every name with a component.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 2.4 "Stringified Names" and 2.5.3 "corbaname"; RFC 2396 clause 2.
What omniNames 4.3.3 refuses is refused here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from iiop.exceptions.errors import ReferenceFormatError
from ior.text import escape_name
from naming.types import InvalidAddress, InvalidName, Name, NameComponent

__all__ = ["parse_name", "format_name", "to_url"]

_FIELD = re.compile(r"[^/.\\]*(?:\\[/.\\][^/.\\]*)*")
_ESCAPED = re.compile(r"\\([/.\\])")
_TO_ESCAPE = str.maketrans({character: "\\" + character for character in "/.\\"})


def parse_name(text: str) -> Name:
    r"""Read a stringified name.

    Args:
        text: a name such as `a/b.kind`.

    Returns:
        At least one component.

    Raises:
        ReferenceFormatError: an empty component (`''`, `/a`, `a/`, `a//b`), a `.` that no kind follows (`a.`), a second `.`
            (`a.b.c`), a `\` that escapes nothing (`\a`, `a\`); `position` is the first character that does not fit, or the
            length of `text` where more was expected.

    Examples:
        >>> parse_name("a/x\\/y\\/z/b")
        (NameComponent(id='a', kind=''), NameComponent(id='x/y/z', kind=''), NameComponent(id='b', kind=''))
        >>> parse_name("TDsample::tdtest")
        (NameComponent(id='TDsample::tdtest', kind=''),)
    """
    components: list[NameComponent] = []
    position = 0
    while True:
        component, position = _parse_component(text, position)
        components.append(component)
        if position == len(text):
            return tuple(components)
        position += 1


def _parse_component(text: str, start: int) -> tuple[NameComponent, int]:
    """Read the component at `start`; return it and the index of the `/` behind it, or of the end."""
    id_, position = _parse_field(text, start)
    if not text.startswith(".", position):
        if position == start:
            raise ReferenceFormatError("an empty name component is written '.'", text=text, position=position)
        return NameComponent(id_), position
    kind, end = _parse_field(text, position + 1)
    if text.startswith(".", end):
        raise ReferenceFormatError(r"a second '.' in one name component is written '\.'", text=text, position=end)
    if id_ and not kind:
        raise ReferenceFormatError("a '.' without a kind behind it", text=text, position=end)
    return NameComponent(id_, kind), end


def _parse_field(text: str, start: int) -> tuple[str, int]:
    """Read an id or a kind at `start`; return it without escapes, and the index of what ends it, or of the end."""
    match = _FIELD.match(text, start)
    end = match.end() if match else start
    if text.startswith("\\", end):
        raise ReferenceFormatError(r"'\' escapes only '/', '.' and '\'", text=text, position=end + 1)
    field = text[start:end]
    return (_ESCAPED.sub(r"\1", field) if "\\" in field else field), end


def format_name(name: Iterable[NameComponent]) -> str:
    r"""Write a name as text.

    Args:
        name: at least one component.

    Returns:
        The shortest stringified name.

    Raises:
        ReferenceFormatError: the name has no component.

    Examples:
        >>> format_name((NameComponent("a.b", "c.d"), NameComponent("e", "f"))) == r"a\.b.c\.d/e.f"
        True
    """
    parts = [_format_component(component) for component in name]
    if not parts:
        raise ReferenceFormatError("a name has at least one component")
    return "/".join(parts)


def _format_component(component: NameComponent) -> str:
    id_ = component.id.translate(_TO_ESCAPE)
    kind = component.kind.translate(_TO_ESCAPE)
    return f"{id_}.{kind}" if kind or not id_ else id_


_ADDRESS = re.compile(r"(?:iiop|ssliop)?:(?:[0-9]+\.[0-9]+@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::(?P<port>[0-9]*))?")
_KEY = re.compile(r"(?:[A-Za-z0-9;/:?@&=+$,_.!~*'()-]|%[0-9A-Fa-f]{2})*")


def to_url(address: str, name_text: str) -> str:
    """Make a corbaname URL, as the operation `NamingContextExt::to_url` does.

    Args:
        address: what stands between `corbaname:` and `#`: addresses as in corbaloc, separated by commas, or `rir:`, each with
            an optional `/` and escaped key.
        name_text: a stringified name, not yet escaped; may be empty, and then the URL names the context itself.

    Returns:
        The URL.

    Raises:
        InvalidAddress: the address is empty, of a protocol that is not `iiop`, `ssliop` or `rir`, or otherwise malformed.
        InvalidName: the name is not empty and not a stringified name.

    Examples:
        >>> to_url(":vhost:8002", "a b")
        'corbaname::vhost:8002#a%20b'
        >>> to_url(":h", "")
        'corbaname::h'
    """
    if not _is_address(address):
        raise InvalidAddress
    if not name_text:
        return f"corbaname:{address}"
    try:
        parse_name(name_text)
        fragment = escape_name(name_text)
    except ReferenceFormatError as error:
        raise InvalidName from error
    return f"corbaname:{address}#{fragment}"


def _is_address(text: str) -> bool:
    addresses, _, key = text.partition("/")
    if not _KEY.fullmatch(key):
        return False
    if addresses == "rir:":
        return True
    for address in addresses.split(","):
        match = _ADDRESS.fullmatch(address)
        if match is None or len(match["port"] or "") > 5 or int(match["port"] or 0) > 65535:
            return False
    return True
