"""For any reference: built, printed, read it is the same; and any text is a value or one of two errors."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from iiop.cdr import ByteOrder
from iiop.exceptions.errors import DecodeError, ReferenceFormatError
from iiop.profile import Version
from ior import IOR, Address, Corbaloc, Corbaname, IORBuilder, ObjectURL, corbaloc_of, parse_object_url
from ior.describe import as_data
from ior.lines import lines_of
from ior.text import display, display_text, escape_key, unescape_key

octets = st.binary(max_size=24)
texts = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=12)
ports = st.integers(0, 65535)
ulongs = st.integers(0, 0xFFFFFFFF)


@st.composite
def built(draw: st.DrawFn) -> IOR:
    builder = IORBuilder(draw(texts), byte_order=draw(st.sampled_from(ByteOrder)))
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            builder.profile(draw(ulongs), draw(octets))
            continue
        minor = draw(st.integers(0, 3))
        builder.iiop(draw(texts), draw(ports), key=draw(octets), version=(1, minor))
        for _ in range(draw(st.integers(0, 3)) if minor else 0):
            kind = draw(st.integers(0, 3))
            if kind == 0:
                builder.code_sets(draw(ulongs), draw(ulongs), char_conversions=tuple(draw(st.lists(ulongs, max_size=3))))
            elif kind == 1:
                builder.alternate(draw(texts), draw(ports))
            elif kind == 2:
                builder.orb_type(draw(ulongs))
            else:
                builder.component(draw(ulongs), draw(octets))
    return builder.build()


versions = st.integers(0, 255).map(lambda minor: Version(1, minor))
host_names = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)
hosts = host_names | st.ip_addresses(v=6).map(str) | st.ip_addresses(v=4).map(str)
iiop_addresses = st.builds(Address, st.sampled_from(["iiop", "ssliop"]), host=hosts, port=ports, version=versions)
other_texts = st.from_regex(r"[!-~]{1,12}", fullmatch=True).filter(
    lambda text: not set(text) & set(",/#") and not text.isdecimal()
)
other_addresses = st.builds(
    Address,
    st.from_regex(r"[a-z][a-z0-9+.-]{0,8}", fullmatch=True).filter(lambda name: name not in ("iiop", "ssliop", "rir")),
    text=other_texts,
)
corbalocs = st.builds(
    Corbaloc,
    st.lists(iiop_addresses | other_addresses, min_size=1, max_size=3).map(tuple) | st.just((Address("rir"),)),
    octets,
)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
corbanames = st.builds(Corbaname, corbalocs, names)


@given(built())
def test_built_printed_read(ior: IOR) -> None:
    again = IOR.from_string(str(ior))
    assert again == ior
    assert str(again) == str(ior)
    assert again.byte_order == ior.byte_order
    assert again.profiles == ior.profiles
    assert [error.path for error in again.problems()] == [error.path for error in ior.problems()]
    for byte_order in ByteOrder:
        assert IOR.from_octets(ior.to_octets(byte_order)) == ior
    assert as_data(ior)["kind"] == "IOR"
    assert "".join(str(line) for line in lines_of(ior)).isascii()


@given(corbalocs | corbanames)
def test_url_printed_read(url: Corbaloc | Corbaname) -> None:
    assert parse_object_url(str(url)) == url
    assert str(parse_object_url(str(url))) == str(url)
    assert str(url).isascii()


@given(st.lists(iiop_addresses.filter(lambda address: address.port != 0), min_size=1, max_size=3, unique=True), octets)
def test_corbaloc_reference_corbaloc(addresses: list[Address], key: bytes) -> None:
    location = Corbaloc(tuple(addresses), key)
    assert corbaloc_of(location.to_ior()) == location


@given(octets)
def test_keys(key: bytes) -> None:
    assert unescape_key(escape_key(key)) == key
    assert all(" " <= character <= "~" for character in display(key))


@given(st.text())
def test_display_moves_no_cursor(text: str) -> None:
    assert all(" " <= character <= "~" for character in display_text(text))


hexadecimal = st.binary(max_size=80).map(bytes.hex)
references = built().map(str)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A reference or URL with one character cut, changed or put in."""
    text = draw(references | corbalocs.map(str) | corbanames.map(str))
    at = draw(st.integers(0, len(text)))
    return (
        text[:at]
        + draw(st.sampled_from(["", "0", "f", ":", ",", "%", "@", "[", "#", " ", "\u0663", "\ud800"]))
        + text[at + draw(st.integers(0, 2)) :]
    )


@given(
    st.text()
    | st.tuples(
        st.sampled_from(["IOR:", "corbaloc:", "corbaloc::", "corbaname::", "corbaloc:rir:"]), st.text() | hexadecimal
    ).map("".join)
    | damaged()
)
@example("IOR:00" + "ff" * 40)
def test_any_text_is_a_value_or_one_of_two_errors(text: str) -> None:
    found: ObjectURL | None = None
    position = 0
    try:
        found = parse_object_url(text)
    except ReferenceFormatError as error:
        position = error.position
    except DecodeError:
        pass
    assert 0 <= position <= len(text)
    if found is None:
        return
    if isinstance(found, IOR):
        assert str(found) == text.strip()
        for problem in found.problems():
            assert problem.offset is not None
            assert 0 <= problem.offset < len(found.to_octets()) + 8  # padding may lie behind the end
    else:
        assert parse_object_url(str(found)) == found
    as_data(found)


@given(st.binary(max_size=120))
def test_any_octets_are_a_value_or_one_error(source: bytes) -> None:
    try:
        ior = IOR.from_octets(source)
    except DecodeError:
        return
    assert ior.to_octets() == source
    ior.problems()
    assert IOR.from_octets(ior.to_octets(ByteOrder.LITTLE)) == ior
