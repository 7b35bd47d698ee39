"""Whatever peers choose for names, ids, hosts and keys, a listing reads back as what it was written from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iiop.profile import Version
from ior.text import escape_key
from naming.listings import (
    ListedAddress,
    ListedBinding,
    ListedInformation,
    ListedService,
    format_bindings,
    format_initial_services,
    parse_bindings,
    parse_initial_services,
)
from naming.names import format_name
from naming.types import NameComponent

nasty = st.text(st.sampled_from("ab c(o)\\:,./%é\t\n\x1b\u2028\u3000\U0001f600\ud800"), max_size=12)
texts = (
    st.text(max_size=8) | nasty | st.sampled_from(["nill_oref", "()", "Name(Type)", "(h:1:1.0:)", "x(c)  IDL:y:1.0, (h:1:1.0:)"])
)
names = st.lists(st.builds(NameComponent, texts, texts), min_size=1, max_size=3).map(format_name)
addresses = st.none() | st.builds(
    ListedAddress,
    texts,
    st.integers(0, 65535),
    st.builds(Version, st.integers(0, 255), st.integers(0, 255)),
    texts.filter(lambda text: ":" not in text),
)
keys = (st.binary(max_size=8) | nasty.map(lambda text: text.encode("utf-8", "surrogatepass"))).map(escape_key)
ids = texts.filter(bool)
nil = ListedInformation((), None)
information = st.just(nil) | st.builds(ListedInformation, st.lists(ids, min_size=1, max_size=3).map(tuple), addresses, keys)
types = st.text(st.sampled_from("abcoXYZ"), min_size=1, max_size=3)
bindings = st.lists(st.builds(ListedBinding, names, types, information, st.none() | information), max_size=4).map(tuple)
services = st.lists(st.builds(ListedService, ids, ids, addresses) | st.just(ListedService("", "", None)), max_size=4).map(tuple)


@given(bindings, st.none() | st.integers(1, 120))
def test_bindings(rows: tuple[ListedBinding, ...], width: int | None) -> None:
    text = format_bindings(rows, width)
    assert text.replace("\n", "").isprintable()
    assert parse_bindings(text) == rows


@given(services)
def test_initial_services(rows: tuple[ListedService, ...]) -> None:
    text = format_initial_services(rows)
    assert text.replace("\n", "").isprintable()
    assert parse_initial_services(text) == rows
