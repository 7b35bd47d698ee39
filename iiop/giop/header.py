"""The twelve octets before every GIOP message.

The header is declared like everything else, for dumps and tests; traffic cuts it by hand, because every octet that arrives passes
here. A property test holds the two equal.

Source: CORBA 3.3 part 2, clause 9.4.1 "GIOP Message Header".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from iiop.cdr import ByteOrder, Octet, OctetArray, ULong, codec
from iiop.exceptions.errors import RemoteProtocolError
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2, MessageError, MessageType
from iiop.limits import Limits
from iiop.profile import Version

__all__ = ["HEADER_SIZE", "MAGIC", "MORE_FRAGMENTS", "Header", "MessageHeader", "cut_header", "new_message", "put_size"]

HEADER_SIZE = 12
MAGIC = b"GIOP"
LITTLE_ENDIAN = 0x01
MORE_FRAGMENTS = 0x02
RESERVED_FLAGS = 0xFC

VERSIONS = {(version.major, version.minor): version for version in (GIOP_1_0, GIOP_1_1, GIOP_1_2)}
_START = struct.Struct("4sBBBB").unpack_from
_SIZES = (struct.Struct(">I").unpack_from, struct.Struct("<I").unpack_from)

_KNOWN = {
    MAGIC + bytes((*pair, flags, kind)): (
        version,
        ByteOrder(flags & LITTLE_ENDIAN),
        flags > 1,
        kind,
        _SIZES[flags & LITTLE_ENDIAN],
    )
    for pair, version in VERSIONS.items()
    for flags in ((0, 1) if version is GIOP_1_0 else (0, 1, 2, 3))
    for kind in MessageType
    if not (kind is MessageType.Fragment and version is GIOP_1_0)
}
"""What the eight octets before the size say: every header that there is; and what reads the size."""


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """Declare the header as it travels; `flags` is a boolean, the byte order, in GIOP 1.0."""

    magic: Annotated[bytes, OctetArray(4)]
    GIOP_version: Version
    flags: Annotated[int, Octet]
    message_type: Annotated[int, Octet]
    message_size: Annotated[int, ULong]


MESSAGE_HEADER = codec(MessageHeader)


class Header(NamedTuple):
    """Hold what a valid header says.

    Attributes:
        size: octets of the whole message, header included.
    """

    version: Version
    byte_order: ByteOrder
    more_fragments: bool
    message_type: MessageType
    size: int


def cut_header(octets: bytes | bytearray, limits: Limits) -> Header:
    """Return what the first twelve octets say.

    Raises:
        RemoteProtocolError: they are no header of GIOP 1.0 to 1.2, or of a message larger than `limits.message_size`. The
            response is a MessageError of the highest version we speak, or of the peer's where we speak it.
    """
    known = _KNOWN.get(bytes(octets[:8]))
    if known is None:
        raise _not_known(octets)
    version, byte_order, more_fragments, message_type, read_size = known
    size = HEADER_SIZE + read_size(octets, 8)[0]
    if size > limits.message_size:
        raise _refuse(f"message of {size} octets exceeds the limit message_size={limits.message_size}", version)
    return Header(version, byte_order, more_fragments, message_type, size)


def _not_known(octets: bytes | bytearray) -> RemoteProtocolError:
    """Return why octets are no header that there is."""
    magic, major, minor, flags, kind = _START(octets)
    if magic != MAGIC:
        return _refuse(f"not GIOP: the message begins with {magic!r}")
    version = VERSIONS.get((major, minor))
    if version is None:
        return _refuse(f"GIOP {major}.{minor} is not spoken here, only 1.0, 1.1 and 1.2")
    if flags > 1 and (flags & RESERVED_FLAGS or version is GIOP_1_0):
        return _refuse(f"reserved bits set in the flags 0x{flags:02x} of a GIOP {version} header", version)
    return _refuse(f"message type {kind} does not exist in GIOP {version}", version)


def _refuse(reason: str, version: Version = GIOP_1_2) -> RemoteProtocolError:
    return RemoteProtocolError(reason, response=MessageError(version=version, byte_order=ByteOrder.BIG))


_STARTS = tuple(
    tuple(
        tuple(MAGIC + bytes((version.major, version.minor, flags, kind, 0, 0, 0, 0)) for kind in MessageType)
        for flags in range(4)
    )
    for version in VERSIONS.values()
)
"""By minor version, flags, and message type: plain numbers, because the hash of an enum member costs more than the rest."""

_PUT_SIZE = (struct.Struct(">I").pack_into, struct.Struct("<I").pack_into)


def new_message(version: Version, byte_order: ByteOrder, message_type: MessageType, *, more: bool = False) -> bytearray:
    """Return a buffer that begins with the header; `put_size` completes it."""
    return bytearray(_STARTS[version.minor][byte_order | more << 1][message_type])


def put_size(message: bytearray) -> None:
    """Write the size of a finished message into its header."""
    _PUT_SIZE[message[6] & LITTLE_ENDIAN](message, 8, len(message) - HEADER_SIZE)
