"""Stringified names, `IOR:` text and object URLs, broken in one place.

Invariant: whatever a breakage yields is refused by the parser of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from iiop_fuzz._broken_octets import named

__all__ = ["OF_IORS", "OF_NAMES", "OF_URLS", "broken_texts"]

TextBreakage = Callable[[str], Iterable[str]]
OF_NAMES: list[TextBreakage] = []
OF_IORS: list[TextBreakage] = []
OF_URLS: list[TextBreakage] = []


def _of_text(*lists: list[TextBreakage]) -> Callable[[TextBreakage], TextBreakage]:
    def add(function: TextBreakage) -> TextBreakage:
        for known in lists:
            known.append(function)
        return function

    return add


@_of_text(OF_NAMES)
def dangling_backslash(text: str) -> Iterator[str]:
    yield text + "\\"


@_of_text(OF_NAMES)
def backslash_that_escapes_nothing(text: str) -> Iterator[str]:
    yield "\\q" + text


@_of_text(OF_NAMES)
def empty_component(text: str) -> Iterator[str]:
    yield "/" + text
    yield text + "/"
    yield "a//" + text


@_of_text(OF_NAMES)
def second_point(text: str) -> Iterator[str]:
    yield "a.b.c/" + text


@_of_text(OF_NAMES)
def point_without_kind(text: str) -> Iterator[str]:
    yield "a./" + text


@_of_text(OF_NAMES, OF_IORS, OF_URLS)
def nothing(text: str) -> Iterator[str]:
    yield ""


@_of_text(OF_IORS)
def odd_number_of_digits(text: str) -> Iterator[str]:
    yield text[:-1]
    yield text + "0"


@_of_text(OF_IORS)
def no_hexadecimal_digit(text: str) -> Iterator[str]:
    for wrong in ("g", " ", "\n", "\u0663", "-"):
        yield text[:6] + wrong + text[7:]


@_of_text(OF_IORS)
def no_digits(text: str) -> Iterator[str]:
    yield "IOR:"


@_of_text(OF_IORS)
def scheme_unknown(text: str) -> Iterator[str]:
    yield text[1:]
    yield text.replace("IOR:", "IOR", 1)


@_of_text(OF_URLS)
def scheme_missing(text: str) -> Iterator[str]:
    yield text.partition(":")[2]


def _location(text: str) -> tuple[str, str]:
    scheme, _, rest = text.partition(":")
    return scheme + ":", rest


@_of_text(OF_URLS)
def bad_percent_escape(text: str) -> Iterator[str]:
    for wrong in ("%", "%4", "%g1", "%\u0664\u0661", "%-1"):
        yield text + wrong


@_of_text(OF_URLS)
def must_be_escaped(text: str) -> Iterator[str]:
    """Put characters into an object key that cannot stand there for themselves."""
    if "#" not in text:
        for wrong in ("#x#", " x", "\tx", "\x7f", "\u20ac"):
            if text.startswith("corbaloc"):
                yield text + wrong


@_of_text(OF_URLS)
def nul_in_name(text: str) -> Iterator[str]:
    if "#" in text:
        yield text + "%00"
        yield text + "\0"


@_of_text(OF_URLS)
def bad_address(text: str) -> Iterator[str]:
    """Put an address in front that is none."""
    scheme, rest = _location(text)
    if rest.startswith("rir:"):
        yield f"{scheme}:vhost,{rest}"
        yield f"{scheme}rir:x{rest.removeprefix('rir:')}"
        return
    hosts = ("", ":", "::2809", ":[::1", ":[vhost]", ":::1", ":a b", ":vhost]:1", ":[::1]x", "vhost:2809", "rir:")
    for wrong in (*hosts, ":vhost:65536", ":vhost:x", ":vhost:-1", ":2.0@vhost", ":1@vhost", ":1.256@vhost"):
        yield f"{scheme}{wrong},{rest}"


def broken_texts(text: str, breakages: list[TextBreakage]) -> list[tuple[str, str]]:
    return list(named(breakages, text))
