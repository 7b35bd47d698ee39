"""Values of value types as omniORBpy wrote them (tests/capture_values.py): read by us, and written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import pytest

from iiop.cdr import Codec, Octet, Value, arguments, header_of, value_type
from iiop.cdr.any import Any
from iiop.exceptions import DecodeError
from iiop.giop.messages import Request
from iiop.giop.wire import decode
from tests.interop.value_declarations import VALUES, Cut, Echo
from tests.property.test_engines_agree import assert_decoded_alike, plain

FOLDER = Path(__file__).with_name("values")
FILES = sorted(FOLDER.glob("*.bin"))


@value_type("IDL:Values/Base:1.0")
class OnlyBase(Value):
    """The base as somebody has it who does not know what is derived from it."""

    kind: Annotated[int, Octet]
    title: str


def request(path: Path) -> Request:
    read = decode(path.read_bytes())
    assert isinstance(read, Request)
    return read


def named(name: str) -> Request:
    return request(FOLDER / f"{name.replace(' ', '-')}.bin")


def as_only_base(name: str) -> object:
    return named(name).body.decode(Codec(arguments("echo_base", ("value", OnlyBase))))[0]


def test_there_is_one_for_each_value() -> None:
    assert {path.stem.replace("-", " ") for path in FILES} > set(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_what_it_is(name: str) -> None:
    operation, value = VALUES[name]
    given = named(name)
    assert given.operation == operation
    assert plain(given.body.decode(Echo.operations()[operation].arguments)) == plain((value,))


@pytest.mark.parametrize("path", FILES, ids=lambda it: it.stem)
def test_written_again_it_is_as_long_and_the_same(path: Path) -> None:
    """Octets differ in padding only, in which omniORB leaves what was there, and which it counts to a chunk before a value."""
    given = request(path)
    codec = Echo.operations()[given.operation].arguments
    body = given.body
    value, end = assert_decoded_alike(codec.type, body.octets, body.start, body.byte_order)
    assert end == len(body.octets)
    out = bytearray(body.octets[: body.start])
    codec.encode_into(out, value, body.byte_order)
    assert len(out) == end
    assert plain(codec.decode_from(bytes(out), body.start, body.byte_order)[0]) == plain(value)
    differing = [at for at in range(end) if out[at] != body.octets[at]]
    assert all(out[at] == 0 or out[at] + -out[at] % 4 == body.octets[at] for at in differing)


def test_how_omniorb_introduces_values() -> None:
    """Chunked always; without a repository id where the type is the declared one."""
    (cut,) = named("chunked").body.decode(Echo.operations()["echo_base"].arguments)
    assert isinstance(cut, Cut)
    header = header_of(cut)
    assert header is not None
    assert (header.chunked, header.repository_ids) == (True, ("IDL:Values/Cut:1.0", "IDL:Values/Base:1.0"))


def test_values_of_unknown_types_are_cut_to_the_base_that_is_known() -> None:
    for name in ("chunked", "chunked twice derived"):
        read = as_only_base(name)
        assert isinstance(read, OnlyBase)
        assert (read.kind, read.title) == {"chunked": (9, "cut"), "chunked twice derived": (10, "deep")}[name]


def test_unknown_types_that_may_not_be_cut_are_refused_by_name() -> None:
    with pytest.raises(DecodeError, match=r"value type 'IDL:Values/Derived:1\.0' is not known here"):
        as_only_base("derived")


def test_values_in_anys_have_classes_of_their_own() -> None:
    (given,) = named("chunked value in Any").body.decode(Echo.operations()["echo_any"].arguments)
    value = cast("Any", given).value
    assert not isinstance(value, Cut)
    assert repr(value) == "Cut(kind=9, title='cut', extra=5, link=Node(number=3, next=Node(number=4, next=None)))"
