"""Object URLs: corbaloc and corbaname, as values; `str` gives their text."""

from __future__ import annotations

import string

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop.profile import Version
from iiop_fuzz._references import PORTS, object_keys
from ior.url import Address, Corbaloc, Corbaname

__all__ = ["addresses", "corbalocs", "corbanames"]

_OTHER_TEXT = "".join(character for character in map(chr, range(0x21, 0x7F)) if character not in ",/#")


def _hosts() -> SearchStrategy[str]:
    plain = st.sampled_from(["vhost", "127.0.0.1", "host.example.com", "::1", "fe80::1%eth0"])
    names = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=12)
    return plain | names | st.ip_addresses(v=6).map(str)


def addresses() -> SearchStrategy[Address]:
    """Draw one address of a URL: of IIOP, plain or over TLS, or of a protocol unknown here; not `rir:`, which stands alone."""
    versions = st.builds(Version, st.just(1), st.integers(0, 2) | st.integers(0, 255))
    others = st.sampled_from(["uiop", "atm", "x+y.z-1"])
    texts = st.text(_OTHER_TEXT, max_size=8).map(lambda text: f"t{text}")
    known = st.sampled_from(["iiop", "ssliop"])
    return st.builds(Address, known, _hosts(), PORTS, versions) | st.builds(Address, others, text=texts)


def corbalocs() -> SearchStrategy[Corbaloc]:
    """Draw a corbaloc: several addresses or `rir:`, and any octets as its key."""
    several = st.lists(addresses(), min_size=1, max_size=3).map(tuple)
    return st.builds(Corbaloc, several | st.just((Address("rir"),)), object_keys())


def corbanames() -> SearchStrategy[Corbaname]:
    """Draw a corbaname; its name is any text a CORBA string may hold, not always a stringified name."""
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
    usual = st.sampled_from(["", "TDsample::tdtest", "a/b.kind", r"a\/b", "50%", "a#b"])
    return st.builds(Corbaname, corbalocs(), usual | texts)
