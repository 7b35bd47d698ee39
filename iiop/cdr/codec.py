"""The door to both engines: values in, octets out, and one family of errors.

Traffic goes through the compiled engine. When that refuses, the construct engine is asked again with the same input, and its
refusal, which has path and offset, is what the caller gets. It takes microseconds a field, so it looks at the first `EXPLAINED`
fields only: no peer can buy seconds of our time with a large message that is wrong at its end. Where `Limits.leniency` lets more
pass than the compiled engine does, what the construct engine reads is the answer; where it lets less pass, it reads everything.

What holds values of value types, the construct engine does alone: the meaning of those is in the whole message, and there is one
implementation of that. `Limits.interpreted_fields` bounds what its readings cost.
"""

from __future__ import annotations

import functools
import itertools
import struct
from typing import Any

from iiop.cdr.annotations import cdr_type
from iiop.cdr.codegen import Interpreted, Phase, Refused
from iiop.cdr.decoder import Decode, compile_decoder
from iiop.cdr.encoder import Encode, compile_encoder
from iiop.cdr.source import Explained, Input
from iiop.cdr.speech import Speech, spoken
from iiop.cdr.types import ByteOrder, CDRType
from iiop.exceptions.errors import DecodeError, EncodeError, TrailingDataError
from iiop.leniency import DEFAULT, Leniency
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = ["Codec", "codec", "decapsulate", "encapsulate"]

EXPLAINED = 20_000
"""Fields of refused octets among which the reason is looked for; a string or a sequence of octets is two."""

_COMPLAINTS = (
    Refused,
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def _construct_engine() -> Any:
    """Import the construct engine, which nobody needs whose octets are sound."""
    from iiop.cdr import constructs

    return constructs


class Codec:
    """Read and write one declared type.

    Alignment is counted from the first octet of what is given, so octets that start somewhere in a message are read as
    `decode(message, start=offset)`.
    """

    __slots__ = ("_decoders", "_encoders", "_spoken", "type")

    def __init__(self, declared: CDRType) -> None:
        self.type = declared
        self._decoders: dict[int, Decode] = {}
        self._encoders: dict[int, Encode] = {}
        self._spoken: dict[Speech, Codec] = {}

    def __repr__(self) -> str:
        return f"Codec({self.type!r})"

    def spoken(self, speech: Speech) -> Codec:
        """Return the codec of the type as a connection speaks it; this one where that makes no difference."""
        made = self._spoken.get(speech)
        if made is None:
            declared = spoken(self.type, speech)
            made = self._spoken[speech] = self if declared is self.type else Codec(declared)
        return made

    def decode(
        self,
        octets: bytes,
        byte_order: ByteOrder = ByteOrder.BIG,
        *,
        start: int = 0,
        exact: bool = True,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Any:
        """Return the value that the octets from `start` on are.

        Raises:
            DecodeError: they are not a value of the type; `TrailingDataError` if `exact` and octets are left over.
        """
        value, position = self.decode_from(octets, start, byte_order, limits)
        if exact and position != len(octets) and Leniency.OMNIORB_GARBAGE_AT_END not in limits.leniency:
            raise TrailingDataError(
                f"{len(octets) - position} octets left over", offset=position, excerpt=octets[position : position + 16]
            )
        return value

    def decode_from(
        self, octets: bytes, start: int, byte_order: ByteOrder = ByteOrder.BIG, limits: Limits = DEFAULT_LIMITS
    ) -> tuple[Any, int]:
        """Return the value that starts at `start`, and the offset behind it.

        Raises:
            DecodeError: with path and offset.
        """
        if limits.leniency is DEFAULT or DEFAULT in limits.leniency:
            key = (start & 7) << 1 | byte_order
            decode = self._decoders.get(key)
            if decode is None:
                decode = self._decoders[key] = compile_decoder(self.type, ByteOrder(byte_order), Phase.at(start))
            try:
                return decode(octets, start, limits)
            except Interpreted:
                pass
            except _COMPLAINTS as complaint:
                if limits.leniency is DEFAULT:
                    source = Input(octets, limits, start, patience=itertools.repeat(True, EXPLAINED))
                    _construct_engine().parse(self.type, source, ByteOrder(byte_order))
                    raise DecodeError(f"the engines disagree ({complaint!r}): please report this", offset=start) from complaint
        patience = itertools.repeat(True, limits.interpreted_fields)
        source = Input(octets, limits, start, patience=patience, bounded_by="interpreted_fields")
        parsed: tuple[Any, int] = _construct_engine().parse(self.type, source, ByteOrder(byte_order))
        return parsed

    def encode(self, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
        """Return the octets of a value.

        Raises:
            EncodeError: the value does not fit the type; with path.
        """
        out = bytearray()
        self.encode_into(out, value, byte_order)
        return bytes(out)

    def encode_into(self, out: bytearray, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> None:
        """Append the octets of a value; the first octet of `out` is the origin of alignment.

        Raises:
            EncodeError: the value does not fit the type; with path. `out` is as it was before.
        """
        start = len(out)
        key = (start & 7) << 1 | byte_order
        encode = self._encoders.get(key)
        if encode is None:
            encode = self._encoders[key] = compile_encoder(self.type, ByteOrder(byte_order), Phase.at(start))
        try:
            encode(value, out)
        except Interpreted:
            del out[start:]
            out += _construct_engine().build(self.type, value, ByteOrder(byte_order), start & 7)
        except _COMPLAINTS as complaint:
            del out[start:]
            _construct_engine().build(self.type, value, ByteOrder(byte_order), start & 7)
            raise EncodeError(f"the engines disagree ({complaint!r}): please report this") from complaint

    def explain(
        self,
        octets: bytes,
        byte_order: ByteOrder = ByteOrder.BIG,
        *,
        start: int = 0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> tuple[list[Explained], DecodeError | None]:
        """Return what every octet says, from the construct engine, and the error that ended it, if any."""
        trace: list[Explained] = []
        try:
            _construct_engine().parse(self.type, Input(octets, limits, start, trace=trace), ByteOrder(byte_order))
        except DecodeError as error:
            return trace, error
        return trace, None


@functools.cache
def codec(annotation: Any) -> Codec:
    """Return the codec of an annotation, as fields of a declaration carry it: a dataclass, `Annotated[int, ULong]`, ...

    Raises:
        TypeError: the annotation does not say how the value lies on the wire.
    """
    return Codec(cdr_type(annotation))


def encapsulate(content: Codec, value: Any, byte_order: ByteOrder = ByteOrder.BIG) -> bytes:
    """Return a value as an encapsulation: byte order octet, then the value, aligned from that octet (clause 9.3.3).

    Raises:
        EncodeError: the value does not fit.
    """
    out = bytearray((byte_order,))
    content.encode_into(out, value, byte_order)
    return bytes(out)


def decapsulate(content: Codec, octets: bytes, *, exact: bool = True, limits: Limits = DEFAULT_LIMITS) -> Any:
    """Return the value in an encapsulation.

    Raises:
        DecodeError: no octets, a byte order other than 0 and 1, octets that are not the type, or, if `exact`, left over.
    """
    if not octets:
        raise DecodeError("an encapsulation has at least its byte order octet", offset=0)
    if octets[0] > 1:
        raise DecodeError(f"byte order must be 0 or 1, not {octets[0]}", path="byte_order", offset=0, excerpt=octets[:16])
    return content.decode(octets, ByteOrder(octets[0]), start=1, exact=exact, limits=limits)
