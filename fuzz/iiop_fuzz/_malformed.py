"""What is almost right: values encoded, and exactly one stated thing broken.

What can be broken, and what comes of it, is known by `_broken_octets`, `_broken_messages` and `_broken_text`; the name of a
breakage there is what `Malformed.what` says. Whatever comes out is refused by whoever reads it, or, for a message, leaves octets
of a message that never becomes whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop import iop
from iiop.cdr import ByteOrder, Codec, codec
from iiop.giop.messages import Message
from iiop_fuzz._broken_messages import broken_messages
from iiop_fuzz._broken_octets import BREAKAGES, Octets, named
from iiop_fuzz._broken_text import OF_IORS, OF_NAMES, OF_URLS, broken_texts
from iiop_fuzz._cdr import byte_orders
from ior.url import Corbaloc, Corbaname
from naming.names import format_name

__all__ = ["Malformed", "breakages_of", "malformed"]


@dataclass(frozen=True, slots=True)
class Malformed:
    """Hold something encoded that is broken in one place.

    Attributes:
        given: octets or text, broken.
        what: name of the breakage.
        intact: the value before it was encoded and broken.
        byte_order: of what are octets without one of their own: a value of a declared type.
    """

    given: bytes | str
    what: str
    intact: Any
    byte_order: ByteOrder = ByteOrder.BIG

    @property
    def octets(self) -> bytes:
        """Return what is given as octets; raises TypeError if it is text."""
        if not isinstance(self.given, bytes):
            raise TypeError("what is malformed here is text")
        return self.given

    @property
    def text(self) -> str:
        """Return what is given as text; raises TypeError if it is octets."""
        if not isinstance(self.given, str):
            raise TypeError("what is malformed here is octets")
        return self.given


def breakages_of(value: Any, layout: Codec | None = None, order: ByteOrder = ByteOrder.BIG) -> list[tuple[str, bytes | str]]:
    """Return every way in which a value, encoded, can be broken: the name of the breakage, and what comes of it.

    Args:
        value: see `malformed`.
        layout: of a value of a declared type.
        order: of such a value.

    Raises:
        TypeError: the value is of no kind that is known here, and has no declaration.
    """
    if layout is None and isinstance(value, get_args(Message)):
        return [*broken_messages(value)]
    if layout is None and isinstance(value, iop.IOR):
        return _reference(value, order)
    if isinstance(value, Corbaloc | Corbaname):
        return [*broken_texts(str(value), OF_URLS)]
    if isinstance(value, str):
        return [*broken_texts(value, OF_NAMES)]
    if layout is None and isinstance(value, tuple):
        return [*broken_texts(format_name(value), OF_NAMES)]
    declared: Any = type(value)
    layout = codec(declared) if layout is None else layout
    return [*named(BREAKAGES, Octets.of(layout, layout.encode(value, order), order, 0, value))]


def _reference(value: iop.IOR, order: ByteOrder) -> list[tuple[str, bytes | str]]:
    """Break a reference: the octets of its encapsulation, and its text."""
    out = bytearray([order])
    iop.IOR_CODEC.encode_into(out, value, order)
    given = Octets.of(iop.IOR_CODEC, bytes(out), order, 1, value)
    broken: list[tuple[str, bytes | str]] = [*named(BREAKAGES, given)]
    broken += [("byte_order_2", b"\2" + given.octets[1:]), ("byte_order_2", b"\xff" + given.octets[1:]), ("no_octets", b"")]
    return [*broken, *broken_texts("IOR:" + given.octets.hex(), OF_IORS)]


CHOICES = st.integers(0, 0xFFFF)


@st.composite
def _broken(draw: st.DrawFn, values: SearchStrategy[Any], layout: Codec | None) -> Malformed:
    # Which breakage is drawn before the value, and from a range that does not depend on it, so that both shrink.
    name_index, index = draw(st.tuples(CHOICES, CHOICES))
    value, order = draw(values), draw(byte_orders())
    by_name: dict[str, list[bytes | str]] = {}
    for what, given in breakages_of(value, layout, order):
        by_name.setdefault(what, []).append(given)
    what = list(by_name)[name_index % len(by_name)]
    return Malformed(by_name[what][index % len(by_name[what])], what, value, order)


def malformed(values: SearchStrategy[Any], *, layout: Codec | None = None) -> SearchStrategy[Malformed]:
    """Draw what these values are when encoded, broken in exactly one place.

    What is drawn is refused by whoever reads it, with the error of its kind: messages by `Connection` (those that only end too
    early are octets left over at the end of the stream), references by `ior.IOR`, URLs by `ior.parse_object_url`, names by
    `naming.parse_name`, anything else by its codec.

    Args:
        values: messages, references (`iiop.iop.IOR`, which become octets or text), `Corbaloc`, `Corbaname`, names, stringified
            names, or values of a dataclass that is a declaration: TypeCodes, Anys, tagged profiles.
        layout: for values of any other declared type.
    """
    return _broken(values, layout)
