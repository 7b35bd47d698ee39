r"""Octets as text that people can read, and as the escaped text of object URLs.

Knows characters only: nothing of references, tags or the network.

Invariants: `display` and `display_text` give printable ASCII and nothing else, so that nothing read from a reference can move the
cursor of a terminal; `unescape_key(escape_key(octets)) == octets` for any octets.

Source: CORBA 3.3 part 2, clause 7.6.10.2 "corbaloc:rir URL" and what follows it, for the characters that stand for themselves
in an object key; RFC 2396, 2.4.1 for the escape.
"""

from __future__ import annotations

import re

from iiop.exceptions.errors import ReferenceFormatError

__all__ = ["display", "display_text", "escape_key", "escape_name", "unescape_key", "unescape_name"]

_SHOWN = {octet: f"\\x{octet:02x}" for octet in range(256) if not 0x20 <= octet <= 0x7E}
_SHOWN[ord("\\")] = "\\\\"

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789;/:?@&=+$,-_.!~*'()")
_ESCAPED = tuple(chr(octet) if octet in _PLAIN else f"%{octet:02x}" for octet in range(256))
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_IN_NAME = re.compile("%00|[\0\ud800-\udfff]")
_NOT_IN_KEY = re.compile(r"[^!-~]|#")


def display(octets: bytes) -> str:
    r"""Return octets as text: printable ASCII as it is, a backslash doubled, every other octet as `\xNN`.

    >>> print(display(b"POA\x00\xfe" + b"a" + bytes([92])))
    POA\x00\xfea\\
    """
    return octets.decode("latin-1").translate(_SHOWN)


def display_text(text: str) -> str:
    r"""Return text a peer chose (type ids, host names) as `display` does; characters beyond ISO 8859-1 as `\uNNNN`.

    >>> print(display_text("IDL:caf\xe9:1.0\n"))
    IDL:caf\xe9:1.0\x0a
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return text.translate(_SHOWN).encode("ascii", "backslashreplace").decode("ascii")


def escape_key(octets: bytes) -> str:
    r"""Return an object key as it stands in a corbaloc URL: `%` and two lower-case digits for what may not stand for itself.

    >>> escape_key(b"a b/c\xff")
    'a%20b/c%ff'
    """
    return "".join([_ESCAPED[octet] for octet in octets])


def escape_name(name: str) -> str:
    """Return a stringified name as it stands behind the `#` of a corbaname URL, octet by octet of its UTF-8 form.

    Raises:
        ReferenceFormatError: a lone surrogate, which has no octets.
    """
    try:
        return escape_key(name.encode())
    except UnicodeEncodeError as error:
        raise ReferenceFormatError("a lone surrogate has no UTF-8 form", text=name, position=error.start) from error


def unescape_key(text: str, start: int = 0, end: int | None = None) -> bytes:
    """Return the object key that `text[start:end]` is.

    Visible ASCII characters that should have been escaped (such as a backslash) stand for themselves; `#`, white space, control
    characters and what is not ASCII do not.

    Raises:
        ReferenceFormatError: a `%` without two hexadecimal digits, or a character that must be escaped; `position` counts
            from the start of `text`.

    >>> unescape_key("a%20b%00")
    b'a b\\x00'
    """
    end = len(text) if end is None else end
    if bad := _NOT_IN_KEY.search(text, start, end):
        raise ReferenceFormatError(f"{bad[0]!r} must be escaped as %XX in an object key", text=text, position=bad.start())
    _check_escapes(text, start, end)
    return _ESCAPES.sub(lambda run: _octets(run[0]).decode("latin-1"), text[start:end]).encode("latin-1")


def unescape_name(text: str, start: int = 0, end: int | None = None) -> str:
    """Return the stringified name that `text[start:end]` is, not parsed.

    Each run of escapes is read as UTF-8, or where it is not UTF-8 as ISO 8859-1, the code set of ORBs that negotiate none.
    Characters that should have been escaped stand for themselves.

    Raises:
        ReferenceFormatError: a `%` without two hexadecimal digits, a NUL, which no CORBA string can hold, or a lone surrogate;
            `position` counts from the start of `text`.

    >>> unescape_name("caf%c3%a9") == unescape_name("caf%E9") == "caf\u00e9"
    True
    """
    end = len(text) if end is None else end
    _check_escapes(text, start, end)
    if bad := _NOT_IN_NAME.search(text, start, end):
        raise ReferenceFormatError("a CORBA string holds neither NUL nor lone surrogates", text=text, position=bad.start())
    return _ESCAPES.sub(lambda run: _decode(_octets(run[0])), text[start:end])


def _check_escapes(text: str, start: int, end: int) -> None:
    bad = _BAD_ESCAPE.search(text, start, end)
    if bad:
        raise ReferenceFormatError("'%' needs two hexadecimal digits behind it", text=text, position=bad.start())


def _octets(run: str) -> bytes:
    return bytes.fromhex(run.replace("%", ""))


def _decode(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
