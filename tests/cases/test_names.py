"""Every class of names and URLs: text, and what it says, or where it does not fit. omniNames refuses the same names."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from iiop.exceptions.errors import ReferenceFormatError
from ior import parse_object_url
from naming.names import format_name, parse_name
from naming.types import NameComponent
from tests.peers import NamingPeer, OmniClient, OmniException, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """State text, and its answer.

    Attributes:
        name: layer and class of the checklist, then in brackets what sets this sample apart.
        answer: the normal form of a URL, the ids and kinds of a name, or the position of what does not fit.
    """

    name: str
    given: str
    answer: str | tuple[tuple[str, str], ...] | int


NAMES = [
    Case(name="names/dangling backslash", given="a\\", answer=2),
    Case(name="names/dangling backslash (that escapes nothing)", given="\\a", answer=1),
    Case(name="names/dangling backslash (two are one)", given="a\\\\", answer=(("a\\", ""),)),
    Case(name="names/empty component (no text)", given="", answer=0),
    Case(name="names/empty component (first)", given="/a", answer=0),
    Case(name="names/empty component (last)", given="a/", answer=2),
    Case(name="names/empty component (between)", given="a//b", answer=2),
    Case(name="names/.", given=".", answer=(("", ""),)),
    Case(name="names/. (between)", given="a/./b", answer=(("a", ""), ("", ""), ("b", ""))),
    Case(name="names/. (no kind behind it)", given="a.", answer=2),
    Case(name="names/. (a second one)", given="a.b.c", answer=3),
]

URLS = [
    Case(name="names/bad percent escape", given="corbaloc::h/a%2", answer=13),
    Case(name="names/bad percent escape (no digits)", given="corbaname::h#%g1", answer=13),
    Case(name="names/bad percent escape (digits of another script)", given="corbaloc::h/%\u0664\u0661", answer=13),
    Case(name="names/IPv6 literal", given="corbaloc::[::1]:8002/k", answer="corbaloc:iiop:1.0@[::1]:8002/k"),
    Case(name="names/IPv6 literal (without brackets)", given="corbaloc::::1:2809/k", answer=10),
    Case(name="names/empty key", given="corbaloc::h", answer="corbaloc:iiop:1.0@h:2809/"),
    Case(name="names/empty key (of a corbaname)", given="corbaname::h#a", answer="corbaname:iiop:1.0@h:2809/NameService#a"),
    Case(name="names/missing port", given="corbaloc::h/k", answer="corbaloc:iiop:1.0@h:2809/k"),
    Case(name="names/missing port (behind its colon)", given="corbaloc::h:/k", answer=12),
    Case(
        name="names/several addresses",
        given="corbaloc::a,iiop:1.2@b:8002/k",
        answer="corbaloc:iiop:1.0@a:2809,iiop:1.2@b:8002/k",
    ),
    Case(name="names/several addresses (one of them empty)", given="corbaloc::a,,:b/k", answer=12),
    Case(name="names/rir mixed with others", given="corbaloc:rir:,:a/k", answer=14),
    Case(name="names/rir mixed with others (last)", given="corbaloc::a,rir:/k", answer=12),
]

CASES = [*NAMES, *URLS]


@pytest.mark.parametrize("case", NAMES, ids=lambda case: case.name)
def test_name(case: Case) -> None:
    if isinstance(case.answer, tuple):
        expected = tuple([NameComponent(*part) for part in case.answer])
        assert parse_name(case.given) == expected
        assert format_name(expected) == case.given
    else:
        refuses(parse_name, case)


@pytest.mark.parametrize("case", URLS, ids=lambda case: case.name)
def test_url(case: Case) -> None:
    if isinstance(case.answer, str):
        assert str(parse_object_url(case.given)) == case.answer
        assert parse_object_url(case.answer) == parse_object_url(case.given)
    else:
        refuses(parse_object_url, case)


def refuses(parse: object, case: Case) -> None:
    assert callable(parse)
    with pytest.raises(ReferenceFormatError) as caught:
        parse(case.given)
    assert (caught.value.position, caught.value.text) == (case.answer, case.given)


def test_omninames(omni_names: NamingPeer, omni_client: OmniClient) -> None:
    root = omni_client.naming(omni_names.corbaloc)
    for case in NAMES:
        if isinstance(case.answer, tuple):
            assert root.call("to_name", case.given) == name(*case.answer), case.name
        else:
            with pytest.raises(OmniException) as caught:
                root.call("to_name", case.given)
            assert caught.value.name == "InvalidName", case.name
