"""corbaloc and corbaname: what is read, the normal form, references made of them, and what is refused, where."""

from __future__ import annotations

import pytest

from iiop.exceptions.errors import DecodeError, ReferenceFormatError
from iiop.profile import Version
from ior import IOR, Address, Corbaloc, Corbaname, IORBuilder, corbaloc_of, parse_object_url


def iiop(host: str, port: int = 2809, minor: int = 0) -> Address:
    return Address("iiop", host, port, Version(1, minor))


@pytest.mark.parametrize(
    ("text", "addresses", "key", "normal"),
    [
        # The forms the Interstage V11 programming guide shows.
        (
            "corbaloc::inithost/NotificationService",
            (iiop("inithost"),),
            b"NotificationService",
            "corbaloc:iiop:1.0@inithost:2809/NotificationService",
        ),
        ("corbaloc:iiop:1.0@inithost/N", (iiop("inithost"),), b"N", "corbaloc:iiop:1.0@inithost:2809/N"),
        (
            "corbaloc::inithost,:inithost2:8002/NameService",
            (iiop("inithost"), iiop("inithost2", 8002)),
            b"NameService",
            "corbaloc:iiop:1.0@inithost:2809,iiop:1.0@inithost2:8002/NameService",
        ),
        ("corbaloc:rir:/NameService", (Address("rir"),), b"NameService", "corbaloc:rir:/NameService"),
        # Defaults and variants.
        ("corbaloc:rir:", (Address("rir"),), b"NameService", "corbaloc:rir:/NameService"),
        ("corbaloc:rir:/Foo", (Address("rir"),), b"Foo", "corbaloc:rir:/Foo"),
        ("corbaloc::h", (iiop("h"),), b"", "corbaloc:iiop:1.0@h:2809/"),
        ("corbaloc::h/", (iiop("h"),), b"", "corbaloc:iiop:1.0@h:2809/"),
        ("CORBALOC:IIOP:1.2@H:1/k", (iiop("H", 1, 2),), b"k", "corbaloc:iiop:1.2@H:1/k"),
        ("  corbaloc::h:1/k \n", (iiop("h", 1),), b"k", "corbaloc:iiop:1.0@h:1/k"),
        ("corbaloc::h:0/k", (iiop("h", 0),), b"k", "corbaloc:iiop:1.0@h:0/k"),
        ("corbaloc::h:00065535/k", (iiop("h", 65535),), b"k", "corbaloc:iiop:1.0@h:65535/k"),
        ("corbaloc::a_b.c-d.1:1/k", (iiop("a_b.c-d.1", 1),), b"k", "corbaloc:iiop:1.0@a_b.c-d.1:1/k"),
        ("corbaloc::[::1]:9/k", (iiop("::1", 9),), b"k", "corbaloc:iiop:1.0@[::1]:9/k"),
        ("corbaloc:iiop:1.1@[fe80::1%eth0]/k", (iiop("fe80::1%eth0", 2809, 1),), b"k", "corbaloc:iiop:1.1@[fe80::1%eth0]:2809/k"),
        # Keys: escapes are octets; '/', ',' and '@' need none.
        ("corbaloc::h/a/b,c@d:e", (iiop("h"),), b"a/b,c@d:e", "corbaloc:iiop:1.0@h:2809/a/b,c@d:e"),
        ("corbaloc::h/%00%fF%41%2f", (iiop("h"),), b"\0\xffA/", "corbaloc:iiop:1.0@h:2809/%00%ffA/"),
        ("corbaloc::h/a\\b", (iiop("h"),), b"a\\b", "corbaloc:iiop:1.0@h:2809/a%5cb"),
        # Other protocols are kept.
        (
            "corbaloc:uiop:tmp.sock,:h/k",
            (Address("uiop", text="tmp.sock"), iiop("h")),
            b"k",
            "corbaloc:uiop:tmp.sock,iiop:1.0@h:2809/k",
        ),
        ("corbaloc:SSLIOP:h:1/k", (Address("ssliop", "h", 1),), b"k", "corbaloc:ssliop:1.2@h:1/k"),
        ("corbaloc:ssliop:1.1@[::1]", (Address("ssliop", "::1", 2809, Version(1, 1)),), b"", "corbaloc:ssliop:1.1@[::1]:2809/"),
        ("corbaloc:ssliop:1.0@h", (Address("ssliop", "h", 2809, Version(1, 2)),), b"", "corbaloc:ssliop:1.2@h:2809/"),
    ],
)
def test_corbaloc(text: str, addresses: tuple[Address, ...], key: bytes, normal: str) -> None:
    found = parse_object_url(text)
    assert found == Corbaloc(addresses, key)
    assert str(found) == normal
    assert parse_object_url(normal) == found


@pytest.mark.parametrize(
    ("text", "location", "name", "normal"),
    [
        ("corbaname::vhost:8002#TDsample::tdtest", "corbaloc::vhost:8002/NameService", "TDsample::tdtest", None),
        ("corbaname::h", "corbaloc::h/NameService", "", "corbaname:iiop:1.0@h:2809/NameService"),
        ("corbaname::h#", "corbaloc::h/NameService", "", None),
        ("corbaname::h/#a", "corbaloc::h/NameService", "a", None),
        ("corbaname:rir:#a/b.c", "corbaloc:rir:/NameService", "a/b.c", "corbaname:rir:/NameService#a/b.c"),
        ("corbaname:rir:/Root#x", "corbaloc:rir:/Root", "x", None),
        ("corbaname::a,:b:8002/K#x%20y%5c.z", "corbaloc::a,:b:8002/K", "x y\\.z", None),
        ("CorbaName::h#caf%c3%a9", "corbaloc::h/NameService", "caf\u00e9", None),
        ("corbaname::h#caf%e9", "corbaloc::h/NameService", "caf\u00e9", "corbaname:iiop:1.0@h:2809/NameService#caf%c3%a9"),
        ("corbaname::h#a#b", "corbaloc::h/NameService", "a#b", "corbaname:iiop:1.0@h:2809/NameService#a%23b"),
    ],
)
def test_corbaname(text: str, location: str, name: str, normal: str | None) -> None:
    found = parse_object_url(text)
    assert isinstance(found, Corbaname)
    assert found.corbaloc == parse_object_url(location)
    assert found.name == name
    assert normal is None or str(found) == normal
    assert parse_object_url(str(found)) == found


def test_ior_has_the_same_door() -> None:
    ior = IORBuilder("IDL:a:1.0").iiop("h", key=b"k").build()
    assert parse_object_url(f" {ior}\n") == ior
    with pytest.raises(DecodeError):
        parse_object_url("IOR:00")


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("", 0, "no reference"),
        ("  ", 2, "no reference"),
        ("vhost/x", 0, "no reference"),
        ("http://h/x", 0, "scheme 'http:' is not known"),
        ("corbaloc:", 9, "here is nothing"),
        ("corbaloc:/k", 9, "here is nothing"),
        ("corbaloc:vhost/k", 9, "an address begins with"),
        ("corbaloc:vhost:8002/k", 9, "a host has a colon before it"),
        ("corbaloc::/k", 10, "host is missing"),
        ("corbaloc:iiop:/k", 14, "host is missing"),
        ("corbaloc::1.2@:1/k", 14, "host is missing"),
        ("corbaloc::a,,:b/k", 12, "here is nothing"),
        ("corbaloc::a,/k", 12, "here is nothing"),
        ("corbaloc::a,:/k", 13, "host is missing"),
        ("corbaloc:rir:,:a/k", 14, "stands alone"),
        ("corbaloc::a,rir:/k", 12, "stands alone"),
        ("corbaloc:rir:,rir:/k", 14, "stands alone"),
        ("corbaloc:rir:h:1/k", 13, "nothing may stand behind 'rir:'"),
        ("corbaloc::h:/k", 12, "a port is a decimal number"),
        ("corbaloc::h:x/k", 12, "a port is a decimal number"),
        ("corbaloc::h:-1/k", 12, "a port is a decimal number"),
        ("corbaloc::h:\u0663/k", 12, "a port is a decimal number"),
        ("corbaloc::h:65536/k", 12, "at most 65535"),
        ("corbaloc::h:" + "9" * 5000, 12, "at most 65535"),
        ("corbaloc::2.0@h/k", 10, "not 1.x"),
        ("corbaloc::1.256@h/k", 10, "not 1.x"),
        ("corbaloc::1@h/k", 10, "written as 1.2"),
        ("corbaloc::u@h/k", 10, "written as 1.2"),
        ("corbaloc::1.2@x@h/k", 15, "cannot stand in a host name"),
        ("corbaloc::h h/k", 11, "cannot stand in a host name"),
        ("corbaloc::h\u00e9/k", 11, "cannot stand in a host name"),
        ("corbaloc::::1:2809/k", 10, "stands in brackets"),
        ("corbaloc::[::1/k", 10, "not closed"),
        ("corbaloc::[h]/k", 10, "brackets hold an IPv6 address"),
        ("corbaloc::[1:2]/k", 11, "1:2"),
        ("corbaloc::[::1]x/k", 15, "':' and a port"),
        ("corbaloc:uiop:a\x7f/k", 15, "cannot stand in an address"),
        ("corbaloc::h/a%2", 13, "two hexadecimal digits"),
        ("corbaloc::h/%", 12, "two hexadecimal digits"),
        ("corbaloc::h/%g0", 12, "two hexadecimal digits"),
        ("corbaloc::h/a b", 13, "must be escaped"),
        ("corbaloc::h/\u00e9", 12, "must be escaped"),
        ("corbaloc::h/a#b", 13, "must be escaped"),
        ("  corbaloc::h/a b  ", 15, "must be escaped"),
        ("corbaname::h#%", 13, "two hexadecimal digits"),
        ("corbaname::h/%2#41", 13, "two hexadecimal digits"),
        ("corbaname::h#a%00", 14, "neither NUL"),
        ("corbaname::h#\ud800", 13, "lone surrogates"),
        ("corbaname:#a", 10, "here is nothing"),
    ],
)
def test_refused(text: str, position: int, reason: str) -> None:
    with pytest.raises(ReferenceFormatError, match=reason) as caught:
        parse_object_url(text)
    assert caught.value.position == position
    assert caught.value.text == text


@pytest.mark.parametrize(
    "members",
    [
        {"protocol": ""},
        {"protocol": "IIOP", "host": "h"},
        {"protocol": "iiop"},
        {"protocol": "iiop", "host": "a,b"},
        {"protocol": "iiop", "host": "::1/"},
        {"protocol": "iiop", "host": "h", "port": 65536},
        {"protocol": "iiop", "host": "h", "port": -1},
        {"protocol": "iiop", "host": "h", "version": Version(2, 0)},
        {"protocol": "iiop", "host": "h", "text": "t"},
        {"protocol": "rir", "text": "t"},
        {"protocol": "rir", "host": "h"},
        {"protocol": "uiop", "text": "a/b"},
        {"protocol": "uiop", "port": 1},
    ],
)
def test_no_address_that_could_not_be_written(members: dict[str, object]) -> None:
    with pytest.raises(ReferenceFormatError):
        Address(**members)  # type: ignore[arg-type]


def test_no_corbaloc_that_could_not_be_written() -> None:
    with pytest.raises(ReferenceFormatError, match="at least one address"):
        Corbaloc(())
    with pytest.raises(ReferenceFormatError, match="stands alone"):
        Corbaloc((Address("rir"), iiop("h")))
    for name in ("\ud800", "a\0"):
        with pytest.raises(ReferenceFormatError):
            Corbaname(Corbaloc((iiop("h"),)), name)


def test_to_ior_gives_each_address_a_profile() -> None:
    location = parse_object_url("corbaloc::a:1,:1.2@[::1]:2,uiop:x/k%00")
    assert isinstance(location, Corbaloc)
    ior = location.to_ior("IDL:a:1.0")
    assert ior.type_id == "IDL:a:1.0"
    assert [(item.version, item.host, item.port, item.object_key) for item in ior.profiles] == [
        (Version(1, 0), "a", 1, b"k\0"),
        (Version(1, 2), "::1", 2, b"k\0"),
    ]
    assert str(corbaloc_of(ior)) == "corbaloc:iiop:1.0@a:1,iiop:1.2@[::1]:2/k%00"


@pytest.mark.parametrize("text", ["corbaloc:rir:/NameService", "corbaloc:uiop:x/k"])
def test_to_ior_needs_an_iiop_address(text: str) -> None:
    location = parse_object_url(text)
    assert isinstance(location, Corbaloc)
    with pytest.raises(ReferenceFormatError, match="only an ORB can resolve this"):
        location.to_ior()


def test_from_profile() -> None:
    ior = IORBuilder().iiop("a", 1, key=b"k").alternate("b", 2).iiop("c", 3, key=b"other").build()
    assert str(Corbaloc.from_profile(ior.profiles[0])) == "corbaloc:iiop:1.2@a:1,iiop:1.2@b:2/k"
    with pytest.raises(ReferenceFormatError, match="differ in their object key"):
        corbaloc_of(ior)


def test_what_cannot_be_a_corbaloc() -> None:
    with pytest.raises(ReferenceFormatError, match="no IIOP profile"):
        corbaloc_of(IOR("", ()))
    with pytest.raises(DecodeError, match="has no host"):
        Corbaloc.from_profile(IORBuilder().profile(1, b"").build().profiles[0])
    with pytest.raises(ReferenceFormatError, match="host is missing"):
        corbaloc_of(IORBuilder().iiop("", key=b"").build())
