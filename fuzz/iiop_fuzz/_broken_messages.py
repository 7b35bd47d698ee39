"""Messages, broken in one place: their header, their pieces, or a field of what is behind it.

Invariant: whatever a breakage yields is refused by a `Connection`, or leaves octets of a message that never becomes whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from iiop.cdr import Codec
from iiop.giop import v1_0, v1_1, v1_2
from iiop.giop.fragments import FRAGMENTABLE, split
from iiop.giop.header import HEADER_SIZE
from iiop.giop.messages import GIOP_1_2, Message, MessageType
from iiop.giop.wire import encode
from iiop_fuzz._broken_octets import BREAKAGES, MOST, Breakage, Octets, named, truncated

__all__ = ["OF_MESSAGES", "broken_messages"]

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


SMALLEST = 32
"""Octets of a piece, so that nearly every message has some."""


def _pieces(given: Octets) -> list[bytes]:
    """Return a message in its pieces, or none if it cannot be fragmented or is too short."""
    if MessageType(given.octets[7]) not in FRAGMENTABLE[given.intact.version]:
        return []
    pieces = split(given.octets, given.intact.version, SMALLEST)
    return pieces if len(pieces) > 1 else []


@_of_messages
def last_fragment_missing(given: Octets) -> Iterator[bytes]:
    if pieces := _pieces(given):
        yield b"".join(pieces[:-1])


@_of_messages
def fragment_behind_the_last(given: Octets) -> Iterator[bytes]:
    if pieces := _pieces(given):
        yield b"".join((*pieces, pieces[-1]))


@_of_messages
def first_fragment_twice(given: Octets) -> Iterator[bytes]:
    if pieces := _pieces(given):
        yield b"".join((pieces[0], *pieces))


@_of_messages
def fragment_of_another_byte_order(given: Octets) -> Iterator[bytes]:
    if pieces := _pieces(given):
        start, piece = pieces[0], pieces[1]
        yield start + piece[:6] + bytes([piece[6] ^ 1, piece[7], *piece[11:7:-1]]) + piece[HEADER_SIZE:] + b"".join(pieces[2:])


@_of_messages
def fragment_of_another_version(given: Octets) -> Iterator[bytes]:
    if pieces := _pieces(given):
        yield pieces[0] + pieces[1][:5] + bytes([3 - pieces[1][5]]) + b"".join(pieces[1:])[6:]


@_of_messages
def fragment_of_another_request(given: Octets) -> Iterator[bytes]:
    if (pieces := _pieces(given)) and given.intact.version == GIOP_1_2:
        at = HEADER_SIZE
        yield pieces[0] + pieces[1][:at] + given.ulong(given.intact.request_id ^ 1) + pieces[1][at + 4 :] + b"".join(pieces[2:])


@_of_messages
def fragment_without_request_id(given: Octets) -> Iterator[bytes]:
    if (pieces := _pieces(given)) and given.intact.version == GIOP_1_2:
        yield pieces[0] + _sized(given, pieces[1][: HEADER_SIZE + 3])


@_of_messages
def piece_no_multiple_of_8(given: Octets) -> Iterator[bytes]:
    if (pieces := _pieces(given)) and given.intact.version == GIOP_1_2:
        yield _sized(given, pieces[0][:-1]) + b"".join(pieces[1:])


def broken_messages(message: Message) -> list[tuple[str, bytes]]:
    octets = encode(message)
    kind = MessageType(octets[7])
    if kind in _LAYOUTS:
        layout = _LAYOUTS[kind][message.version.minor]
        given = Octets.of(layout, octets, message.byte_order, HEADER_SIZE, message)
    else:
        given = Octets(octets, message.byte_order, HEADER_SIZE, (), message)
    in_fields = [breakage for breakage in BREAKAGES if breakage is not truncated]
    return list(named([*OF_MESSAGES, *in_fields], given))
