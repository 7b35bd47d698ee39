"""Whole messages: values to octets and back, whatever the version.

Source: CORBA 3.3 part 2, clause 9.4 "GIOP Message Formats".
"""

from __future__ import annotations

from iiop.exceptions.errors import DecodeError, LocalProtocolError, TruncatedError
from iiop.giop import v1_0, v1_1, v1_2
from iiop.giop.header import HEADER_SIZE, Header, cut_header, new_message, put_size
from iiop.giop.messages import Message, MessageType
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = ["decode", "decode_whole", "encode"]

_LAYOUTS = (v1_0, v1_1, v1_2)
_READ = tuple(tuple(layout.READ.get(kind) for kind in MessageType) for layout in _LAYOUTS)
"""By minor version and message type."""
_WRITE = tuple(layout.WRITE for layout in _LAYOUTS)
"""By minor version."""


def encode(message: Message) -> bytes:
    """Return the octets of a message, unfragmented.

    Raises:
        EncodeError: a member does not fit its type; with path.
        LocalProtocolError: the message cannot be said in its version.
    """
    version = message.version
    found = _WRITE[version.minor].get(type(message)) if version.major == 1 and version.minor <= 2 else None
    if found is None:
        raise LocalProtocolError(f"there is no {type(message).__name__} in GIOP {version}")
    kind, write = found
    out = new_message(version, message.byte_order, kind)
    write(message, out)
    put_size(out)
    return bytes(out)


def decode(octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Return the message that the octets, one whole message, are.

    Raises:
        DecodeError: they are not; with path and offset.
        RemoteProtocolError: they do not begin with a header of GIOP 1.0 to 1.2, or are one fragment of a message.
    """
    if len(octets) < HEADER_SIZE:
        raise TruncatedError(f"a GIOP header has {HEADER_SIZE} octets, {len(octets)} are there", offset=len(octets))
    header = cut_header(octets, limits)
    if header.size != len(octets):
        kind = TruncatedError if header.size > len(octets) else DecodeError
        raise kind(f"the header tells of {header.size} octets, {len(octets)} are there", path="message_size", offset=8)
    return decode_whole(header, octets, limits)


def decode_whole(header: Header, octets: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Return the message whose header was cut before.

    Raises:
        DecodeError: with path and offset.
    """
    read = _READ[header.version.minor][header.message_type]
    if read is None or header.more_fragments:
        raise DecodeError(f"a {header.message_type.name} is not a whole message", path="message_type", offset=7)
    message: Message = read(octets, header.byte_order, limits)
    return message
