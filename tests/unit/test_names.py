from __future__ import annotations

import pytest

from iiop.exceptions.errors import ReferenceFormatError
from ior.text import escape_name, unescape_name
from naming.names import format_name, parse_name, to_url
from naming.types import InvalidAddress, InvalidName, Name, NameComponent


def name(*components: str | tuple[str, str]) -> Name:
    return tuple(NameComponent(c) if isinstance(c, str) else NameComponent(*c) for c in components)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", name("a")),
        ("a.b", name(("a", "b"))),
        ("a/b", name("a", "b")),
        (".", name("")),
        ("./.", name("", "")),
        (".k", name(("", "k"))),
        ("a/./b", name("a", "", "b")),
        (r"\.", name(".")),
        (r"\\", name("\\")),
        (r"\.\.", name("..")),
        (r"\..\.", name((".", "."))),
        ("TDsample::tdtest", name("TDsample::tdtest")),
        ("a b\n/c", name("a b\n", "c")),
        # the three examples of the Interstage manual, interstage-facts.md 2.3
        (r"a/x\/y\/z/b", name("a", "x/y/z", "b")),
        (r"a\.b.c\.d/e.f", name(("a.b", "c.d"), ("e", "f"))),
        (r"a/b\\/c", name("a", "b\\", "c")),
        # an escaped backslash before a separator: JacORB looks back one character and sees one component
        (r"a\\/b", name("a\\", "b")),
        (r"a\\.b", name(("a\\", "b"))),
        (r"a\\\/b", name("a\\/b")),
    ],
)
def test_stringified_names_both_ways(text: str, expected: Name) -> None:
    assert parse_name(text) == expected
    assert format_name(expected) == text


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("a.", 2),
        ("a./b", 2),
        ("/a", 0),
        ("/", 0),
        ("a/", 2),
        ("a//b", 2),
        ("a.b.c", 3),
        ("..", 1),
        ("a..", 2),
        (r"\a", 1),
        ("a\\", 2),
        ("a.b\\", 4),
        (r"a/b.c\x", 6),
        ("\\", 1),
    ],
)
def test_refused_text_says_where(text: str, position: int) -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        parse_name(text)
    assert caught.value.position == position
    assert caught.value.text == text


def test_a_name_without_components_has_no_text() -> None:
    with pytest.raises(ReferenceFormatError):
        format_name(())


def test_a_name_of_a_megabyte_is_read_in_linear_time() -> None:
    text = r"\\" * 250_000 + "/a" * 250_000
    assert len(parse_name(text)) == 250_001


def test_url_escapes_are_those_of_omninames() -> None:
    assert escape_name(' %"#<') == "%20%25%22%23%3c"
    kept = ";/:?@&=+$,-_.!~*'()azAZ09"
    assert escape_name(kept) == kept
    assert escape_name("\\[]^`{|}>\x7f") == "%5c%5b%5d%5e%60%7b%7c%7d%3e%7f"
    assert escape_name("é") == "%c3%a9"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("a%20b", "a b"),
        ("%C3%A9", "é"),
        ("%c3%a9t%c3%a9", "été"),
        ("caf%e9", "café"),  # ISO 8859-1, as ORBs write that negotiate no code set
        ("é%e9", "éé"),
        ("a b", "a b"),
        ("%2500", "%00"),
        ("", ""),
    ],
)
def test_url_escapes_of_others_are_understood(escaped: str, text: str) -> None:
    assert unescape_name(escaped) == text


@pytest.mark.parametrize(("text", "position"), [("%", 0), ("a%2", 1), ("%zz", 0), ("%41%4", 3), ("a%00", 1), ("%%20", 0)])
def test_broken_url_escapes_say_where(text: str, position: int) -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        unescape_name(text)
    assert caught.value.position == position


def test_a_lone_surrogate_has_no_url_form() -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        escape_name("a\ud800")
    assert caught.value.position == 1


@pytest.mark.parametrize(
    ("address", "name_text", "url"),
    [
        (":h", "", "corbaname::h"),
        (":h", "a", "corbaname::h#a"),
        ("iiop:h", "a b", "corbaname:iiop:h#a%20b"),
        ("iiop:1.2@h:99", "x", "corbaname:iiop:1.2@h:99#x"),
        (":h/key", "x", "corbaname::h/key#x"),
        (":h/a%20b", "x", "corbaname::h/a%20b#x"),
        (":h/", "x", "corbaname::h/#x"),
        (":h,:i:8002/NameService", "x", "corbaname::h,:i:8002/NameService#x"),
        (":h:", "x", "corbaname::h:#x"),
        (":", "x", "corbaname::#x"),
        ("rir:", "x", "corbaname:rir:#x"),
        ("rir:/NameService", "x", "corbaname:rir:/NameService#x"),
        (":[::1]:80", "x", "corbaname::[::1]:80#x"),
        ("ssliop:h", "x", "corbaname:ssliop:h#x"),
        (":vhost:8002", r"a\/b.c", "corbaname::vhost:8002#a%5c/b.c"),
    ],
)
def test_to_url(address: str, name_text: str, url: str) -> None:
    assert to_url(address, name_text) == url


@pytest.mark.parametrize(
    "address",
    [
        *("", "bad", "foo:x", "ior:", "IIOP:h", "iiop:1@h", "/k", "rir:foo", ":h,rir:"),
        *(":h,", ":h:99999", ":h:" + "9" * 5000, ":h#y", ":h b", ":h\n", ":h/a b", ":h/%4", ":h/é"),
    ],
)
def test_to_url_refuses_addresses(address: str) -> None:
    with pytest.raises(InvalidAddress):
        to_url(address, "x")


@pytest.mark.parametrize("name_text", ["a//b", "a.", "\\a", "\ud800"])
def test_to_url_refuses_names(name_text: str) -> None:
    with pytest.raises(InvalidName):
        to_url(":h", name_text)
