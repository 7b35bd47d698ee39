"""What is almost right: values encoded, and exactly one stated thing broken.

A breakage is a named function. It takes what is encoded and returns it broken, or None where there is nothing of the kind to
break; its name is what `Malformed.what` says. Nothing here is left to chance: whatever comes out is refused by whoever reads it,
or, for a message, leaves octets of a message that never becomes whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from iiop import iop
from iiop.cdr import ByteOrder, Codec, Explained, codec
from iiop.cdr.any import Any as CORBAAny
from iiop.cdr.typecode import TCKind, TypeCode
from iiop.giop import v1_0, v1_1, v1_2
from iiop.giop.fragments import FRAGMENTABLE
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import Message, MessageType
from iiop.giop.wire import encode
from iiop_fuzz._cdr import byte_orders
from ior.url import Corbaloc, Corbaname
from naming.names import format_name

__all__ = ["Malformed", "malformed"]

MOST = b"\xff\xff\xff\xff"


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


# --- octets of a declared type -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Octets:
    """Hold an encoded value, and where its fields are.

    Attributes:
        start: where the value begins.
        fields: as the construct engine explains them.
        intact: the value.
    """

    octets: bytes
    order: ByteOrder
    start: int
    fields: tuple[Explained, ...]
    intact: Any

    @classmethod
    def of(cls, layout: Codec, octets: bytes, order: ByteOrder, start: int, intact: Any) -> Octets:
        fields, _ = layout.explain(octets, order, start=start)
        return cls(octets, order, start, tuple(fields), intact)

    @property
    def end(self) -> int:
        """Return where the last field ends."""
        return max([field.offset + field.length for field in self.fields], default=self.start)

    def put(self, offset: int, octets: bytes) -> bytes:
        return self.octets[:offset] + octets + self.octets[offset + len(octets) :]

    def ulong(self, value: int) -> bytes:
        return value.to_bytes(4, "big" if self.order == 0 else "little")

    def counts(self, *kinds: str) -> Iterator[tuple[Explained, Explained | None]]:
        """Yield lengths, with the string or octets they belong to, or None where they count elements."""
        for field, behind in zip(self.fields, (*self.fields, None)[1:], strict=True):
            if not field.path.endswith("length") or field.type != "unsigned long":
                continue
            whole = field.path.removesuffix("length").removesuffix(".")
            belongs = behind if behind and behind.path == whole and behind.type in ("string", "sequence<octet>") else None
            if (belongs.type if belongs else "sequence") in kinds:
                yield field, belongs


Breakage = Callable[[Octets], Iterable[bytes]]
BREAKAGES: list[Breakage] = []


def _breakage(function: Breakage) -> Breakage:
    BREAKAGES.append(function)
    return function


@_breakage
def truncated(given: Octets) -> Iterator[bytes]:
    """End inside a field, or before one."""
    for field in given.fields:
        if field.length and field.offset >= given.start:
            yield given.octets[: field.offset]
            yield given.octets[: field.offset + field.length - 1]


@_breakage
def string_length_0(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("string"):
        yield given.put(length.offset, bytes(4))


@_breakage
def string_length_less_1(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("string"):
        yield given.put(length.offset, given.ulong(length.value - 1))


@_breakage
def string_length_0xffffffff(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("string"):
        yield given.put(length.offset, MOST)


@_breakage
def string_without_nul(given: Octets) -> Iterator[bytes]:
    for _, text in given.counts("string"):
        if text:
            yield given.put(text.offset + text.length - 1, b"x")


@_breakage
def string_with_embedded_nul(given: Octets) -> Iterator[bytes]:
    for _, text in given.counts("string"):
        if text and text.length > 1:
            yield given.put(text.offset + (text.length - 1) // 2, b"\0")


@_breakage
def octets_length_0xffffffff(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("sequence<octet>"):
        yield given.put(length.offset, MOST)


@_breakage
def count_0xffffffff(given: Octets) -> Iterator[bytes]:
    for length, _ in given.counts("sequence"):
        if not _is_bound(length, given):
            yield given.put(length.offset, MOST)


@_breakage
def count_times_size_overflows(given: Octets) -> Iterator[bytes]:
    """Count as many elements as, times 4 or 8, are few in 32 bits."""
    for length, _ in given.counts("sequence"):
        if not _is_bound(length, given):
            yield given.put(length.offset, given.ulong(0x40000001))
            yield given.put(length.offset, given.ulong(0x20000001))


def _is_bound(length: Explained, given: Octets) -> bool:
    """Tell a bound or length in a TypeCode from a count: it has no elements behind it."""
    path = length.path.removesuffix("length").removesuffix(".")
    return path.endswith("parameters") or (length.value > 0 and not any(f.path.startswith(f"{path}[") for f in given.fields))


@_breakage
def boolean_2(given: Octets) -> Iterator[bytes]:
    for field in given.fields:
        if field.type == "boolean":
            yield given.put(field.offset, b"\2")


@_breakage
def union_label_unknown(given: Octets) -> Iterator[bytes]:
    for field in given.fields:
        if field.path.endswith("target.discriminator"):
            yield given.put(field.offset, b"\x07\x07")


@_breakage
def kind_of_type_unknown(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        yield given.put(given.start, given.ulong(37))
        yield given.put(given.start, given.ulong(0x7FFFFFFF))


@_breakage
def enum_out_of_range(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, CORBAAny) and given.intact.type.kind is TCKind.tk_enum:
        yield given.octets[:-4] + given.ulong(len(given.intact.type.members))
        yield given.octets[:-4] + MOST


@_breakage
def encapsulation_of_0_octets(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        for length, content in given.counts("sequence<octet>"):
            if content and length.offset == given.start + 4 and content.path.endswith("parameters"):
                yield given.octets[: length.offset] + bytes(4) + given.octets[content.offset + content.length :]


@_breakage
def encapsulation_of_byte_order_2(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        for length, content in given.counts("sequence<octet>"):
            if content and length.offset == given.start + 4 and content.path.endswith("parameters"):
                yield given.put(content.offset, b"\2")


@_breakage
def indirection_to_nowhere(given: Octets) -> Iterator[bytes]:
    if isinstance(given.intact, TypeCode | CORBAAny):
        for offset in (-4, 0, 4, -1_000_000, 0x7FFFFFFF, -0x80000000):
            octets = given.octets[: given.start] + MOST + given.ulong(offset & 0xFFFFFFFF)
            yield octets


# --- messages ----------------------------------------------------------------------------------------------------------

_LAYOUTS: dict[MessageType, tuple[Codec, Codec, Codec]] = {
    MessageType.Request: (v1_0.REQUEST, v1_1.REQUEST, v1_2.REQUEST),
    MessageType.Reply: (v1_0.REPLY, v1_0.REPLY, v1_2.REPLY),
    MessageType.CancelRequest: (v1_0.CANCEL_REQUEST,) * 3,
    MessageType.LocateRequest: (v1_0.LOCATE_REQUEST, v1_0.LOCATE_REQUEST, v1_2.LOCATE_REQUEST),
    MessageType.LocateReply: (v1_0.LOCATE_REPLY,) * 3,
}
_WITHOUT_BODY = (MessageType.CancelRequest, MessageType.LocateRequest, MessageType.CloseConnection, MessageType.MessageError)

OF_MESSAGES: list[Breakage] = []


def _of_messages(function: Breakage) -> Breakage:
    OF_MESSAGES.append(function)
    return function


def _sized(given: Octets, octets: bytes) -> bytes:
    return octets[:8] + given.ulong(len(octets) - HEADER_SIZE) + octets[HEADER_SIZE:]


@_of_messages
def cut_short(given: Octets) -> Iterator[bytes]:
    """End inside the header of the message; the size says so."""
    for octets in truncated(given):
        yield _sized(given, octets)


@_of_messages
def stream_ends_within(given: Octets) -> Iterator[bytes]:
    """End the stream within the message, whose size says that there is more."""
    yield given.octets[:-1]
    yield given.octets[: HEADER_SIZE - 1]


@_of_messages
def magic(given: Octets) -> Iterator[bytes]:
    for wrong in (b"GIOQ", b"giop", b"POIG", b"\0\0\0\0", b"HTTP"):
        yield given.put(0, wrong)


@_of_messages
def version(given: Octets) -> Iterator[bytes]:
    for wrong in (b"\x01\x03", b"\x01\x09", b"\x02\x00", b"\x00\x00", b"\xff\xff"):
        yield given.put(4, wrong)


@_of_messages
def message_type(given: Octets) -> Iterator[bytes]:
    for wrong in (8, 9, 255):
        yield given.put(7, bytes([wrong]))


@_of_messages
def reserved_flag(given: Octets) -> Iterator[bytes]:
    for bit in range(2, 8):
        yield given.put(6, bytes([given.octets[6] | 1 << bit]))


@_of_messages
def fragment_flag(given: Octets) -> Iterator[bytes]:
    """Say that more follows, of a message or in a version that knows no fragments."""
    if MessageType(given.octets[7]) not in FRAGMENTABLE[given.intact.version]:
        yield given.put(6, bytes([given.octets[6] | 2]))


@_of_messages
def fragment_out_of_nowhere(given: Octets) -> Iterator[bytes]:
    yield given.put(7, bytes([MessageType.Fragment]))


@_of_messages
def message_size_0xffffffff(given: Octets) -> Iterator[bytes]:
    yield given.put(8, MOST)


@_of_messages
def message_size_plus_1(given: Octets) -> Iterator[bytes]:
    yield given.put(8, given.ulong(len(given.octets) - HEADER_SIZE + 1))


@_of_messages
def message_size_less_1(given: Octets) -> Iterator[bytes]:
    if len(given.octets) > HEADER_SIZE:
        yield given.put(8, given.ulong(len(given.octets) - HEADER_SIZE - 1))


@_of_messages
def trailing_octets(given: Octets) -> Iterator[bytes]:
    """Put octets behind a message that has no body."""
    if given.octets[7] in _WITHOUT_BODY:
        yield _sized(given, given.octets + b"\0")
        yield _sized(given, given.octets + bytes(8))


@_of_messages
def byte_order_flipped(given: Octets) -> Iterator[bytes]:
    """Say the other byte order in the header, and the size in it, while the rest stays: a short string becomes a long one."""
    if any(length.value < 256 for length, _ in given.counts("string")):
        size = int.from_bytes(given.octets[8:12], "big" if given.order == 0 else "little")
        flipped = given.put(6, bytes([given.octets[6] ^ 1]))
        yield flipped[:8] + size.to_bytes(4, "little" if given.order == 0 else "big") + flipped[HEADER_SIZE:]


def _message(message: Message) -> list[tuple[str, bytes]]:
    octets = encode(message)
    kind = MessageType(octets[7])
    if kind in _LAYOUTS:
        layout = _LAYOUTS[kind][message.version.minor]
        given = Octets.of(layout, octets, message.byte_order, HEADER_SIZE, message)
    else:
        given = Octets(octets, message.byte_order, HEADER_SIZE, (), message)
    in_fields = [breakage for breakage in BREAKAGES if breakage is not truncated]
    return list(_all([*OF_MESSAGES, *in_fields], given))


# --- text --------------------------------------------------------------------------------------------------------------

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


def _texts(text: str, breakages: list[TextBreakage]) -> list[tuple[str, str]]:
    return list(_all(breakages, text))


G = TypeVar("G", bytes, str)
S = TypeVar("S")


def _all(breakages: Iterable[Callable[[S], Iterable[G]]], given: S) -> Iterator[tuple[str, G]]:
    for breakage in breakages:
        for broken in breakage(given):
            yield breakage.__name__, broken


# --- the strategy ------------------------------------------------------------------------------------------------------


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
        return [*_message(value)]
    if layout is None and isinstance(value, iop.IOR):
        return _reference(value, order)
    if isinstance(value, Corbaloc | Corbaname):
        return [*_texts(str(value), OF_URLS)]
    if isinstance(value, str):
        return [*_texts(value, OF_NAMES)]
    if layout is None and isinstance(value, tuple):
        return [*_texts(format_name(value), OF_NAMES)]
    declared: Any = type(value)
    layout = codec(declared) if layout is None else layout
    return [*_all(BREAKAGES, Octets.of(layout, layout.encode(value, order), order, 0, value))]


def _reference(value: iop.IOR, order: ByteOrder) -> list[tuple[str, bytes | str]]:
    """Break a reference: the octets of its encapsulation, and its text."""
    out = bytearray([order])
    iop.IOR_CODEC.encode_into(out, value, order)
    given = Octets.of(iop.IOR_CODEC, bytes(out), order, 1, value)
    broken: list[tuple[str, bytes | str]] = [*_all(BREAKAGES, given)]
    broken += [("byte_order_2", b"\2" + given.octets[1:]), ("byte_order_2", b"\xff" + given.octets[1:]), ("no_octets", b"")]
    return [*broken, *_texts("IOR:" + given.octets.hex(), OF_IORS)]


@st.composite
def _broken(draw: st.DrawFn, values: SearchStrategy[Any], layout: Codec | None) -> Malformed:
    value, order = draw(values), draw(byte_orders())
    by_name: dict[str, list[bytes | str]] = {}
    for what, given in breakages_of(value, layout, order):
        by_name.setdefault(what, []).append(given)
    what = draw(st.sampled_from(list(by_name)))
    return Malformed(draw(st.sampled_from(by_name[what])), what, value, order)


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
