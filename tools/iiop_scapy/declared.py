# SPDX-License-Identifier: GPL-2.0-only
"""Scapy layers made of declarations: a structure that `iiop.cdr` knows becomes a `Packet`, its members become fields.

No layout is written here: a layer is dissected and built by the codec of its declaration, whole, so that lengths, counts and
padding are filled in. What no ORB would send is put into a field as scapy's `RawVal`, octets that stand for the member as they
are; then the members around it are built one by one. Members that are structures are layers themselves.

Invariants: the octets of a layer that was dissected come out again, whatever its padding, until a field says something else.
It must not know messages; where a layer stands in one, and in which byte order, its underlayer tells.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import random
from collections.abc import Callable
from typing import Any, ClassVar

from scapy.fields import Field, RawVal
from scapy.packet import Packet
from scapy.volatile import VolatileValue

import ior
from iiop.cdr import ByteOrder, Codec, cdr_type
from iiop.cdr import types as t
from iiop.cdr.wide import WideChar, WideString
from iiop.exceptions.errors import DecodeError, EncodeError

__all__ = ["CDRField", "CDRPacket", "dissected", "layer_of", "packet_of"]

_RANDOM_LENGTH = 40


class CDRPacket(Packet):
    """Stand above the layers of declared structures.

    Names that begin with `cdr_` are those of the layer itself, for members may have any other.

    Attributes:
        cdr_codec: of the declaration.
        cdr_struct: the declaration.
        cdr_field: what its members are.
        cdr_written: what `command` writes for the layer; its name where that is empty.
    """

    cdr_codec: ClassVar[Codec]
    cdr_struct: ClassVar[t.Struct]
    cdr_field: ClassVar[type[CDRField]]
    cdr_written: ClassVar[str] = ""
    show_summary = False

    @property
    def cdr_byte_order(self) -> ByteOrder:
        """Return the byte order, which the message tells; big-endian outside of one."""
        return getattr(self.underlayer, "cdr_byte_order", ByteOrder.BIG)

    @property
    def cdr_phase(self) -> int:
        """Return how far behind a multiple of 8 the layer begins, counted from where its message does."""
        return getattr(self.underlayer, "cdr_payload_phase", 0)

    @property
    def cdr_payload_phase(self) -> int:
        octets = self.raw_packet_cache
        return (self.cdr_phase + len(self.self_build() if octets is None else octets)) & 7

    def do_dissect(self, s: bytes) -> bytes:
        """Dissect the layer, and return what is behind it.

        Raises:
            DecodeError: the octets are laid out otherwise. Dissected as a payload, they become `Raw`.
        """
        value, taken = self._decode(s)
        self.fields = self.cdr_fields(value)
        self.raw_packet_cache = s[:taken]
        self.raw_packet_cache_fields = {}
        self.explicit = 1
        return s[taken:]

    def _decode(self, octets: bytes) -> tuple[Any, int]:
        start = self.cdr_phase
        value, end = self.cdr_codec.decode_from(bytes(start) + octets if start else octets, start, self.cdr_byte_order)
        return value, end - start

    def self_build(self) -> bytes:
        """Return the octets of the layer.

        Raises:
            EncodeError: a value does not fit its member; with path.
        """
        octets: bytes | None = self.raw_packet_cache
        if octets is not None:
            if self._says(octets):
                return octets
            self.raw_packet_cache = None
        start = self.cdr_phase
        out = bytearray(start)
        if any(isinstance(self.getfieldval(member.name), RawVal) for member in self.cdr_struct.fields):
            self._encode_members(out)
        else:
            self.cdr_codec.encode_into(out, self.cdr_value(), self.cdr_byte_order)
        return bytes(out[start:])

    def _says(self, octets: bytes) -> bool:
        """Tell whether octets, the first of which is that of the layer, say what its fields do."""
        try:
            value, _ = self._decode(octets)
        except DecodeError:
            return False
        said = self.cdr_fields(value)
        return all(self.getfieldval(name) == member for name, member in said.items())

    def _encode_members(self, out: bytearray) -> None:
        for name, declared in self.cdr_struct.fields:
            value = self.getfieldval(name)
            if isinstance(value, RawVal):
                out += bytes(value)
                continue
            kind: Any = declared
            if isinstance(declared, t.Switch):
                kind = declared.cases.get(_plain(self.getfieldval(declared.on), t.ULong), declared.default)
            if not isinstance(kind, t.CDRType):
                raise EncodeError("no arm for this discriminator; give a RawVal", path=name)
            Codec(kind).encode_into(out, _plain(value, kind), self.cdr_byte_order)

    def cdr_value(self) -> Any:
        """Return what the layer says, as the value that `iiop` has for it.

        Raises:
            EncodeError: it says more than such a value can.
        """
        plain = self if self.explicit else next(iter(self))  # settles what is random
        members = [_plain(plain.getfieldval(name), kind) for name, kind in self.cdr_struct.fields]
        if self.cdr_struct.cls is None:
            return tuple(members)
        try:
            return self.cdr_struct.make(*members)
        except (TypeError, ValueError) as error:
            raise EncodeError(f"no {self.cdr_struct.name}: {error}") from error

    def command(self) -> str:
        """Return Python that makes the layer, and those behind it."""
        name = type(self).__name__
        return (self.cdr_written or name) + str(super().command()).removeprefix(name)

    @classmethod
    def cdr_fields(cls, value: Any) -> dict[str, Any]:
        names = [member.name for member in cls.cdr_struct.fields]
        members = value if cls.cdr_struct.cls is None else [getattr(value, name) for name in names]
        return {name: packet_of(member) for name, member in zip(names, members, strict=True)}


class CDRField(Field):  # type: ignore[type-arg]
    """Hold one member of a declared structure.

    Args:
        name: of the member.
        declared: its type.
        fuzzed: whether `fuzz` changes it, which it must not where other members depend on it.
        default: its value where none is given.
    """

    __slots__ = ("declared", "fuzzed", "holds_packets", "islist")

    def __init__(self, name: str, declared: t.CDRType, *, fuzzed: bool, default: Any) -> None:
        self.declared = declared
        self.fuzzed = fuzzed
        self.islist = int(isinstance(declared, t.Sequence | t.Array))
        self.holds_packets = int(isinstance(declared, t.Struct | t.Switch | t.Sequence | t.Array))
        super().__init__(name, default, "B")

    def any2i(self, pkt: Any, x: Any) -> Any:
        """Take a layer, a value of `iiop`, the name of an enum member, text for octets and octets for text."""
        if isinstance(self.declared, t.Enum) and isinstance(x, str):
            return int(self.declared.cls[x])
        if isinstance(self.declared, t.StringType) and isinstance(x, bytes):
            return x.decode("latin-1")
        if isinstance(x, str) and _holds_octets(self.declared):
            return x.encode("latin-1")
        if isinstance(x, tuple) and not self.holds_packets:
            return x  # scapy has it for a range
        return packet_of(x)

    def i2repr(self, pkt: Any, x: Any) -> str:
        said = _plain(x, self.declared)
        return said.name if isinstance(said, enum.Enum) else repr(x)

    def randval(self) -> Any:
        return _RandomValue(self.declared) if self.fuzzed and _drawer(self.declared) is not None else None


CDRPacket.cdr_field = CDRField


def _holds_octets(declared: t.CDRType | None) -> bool:
    """Tell whether a type is octets, or an arm of it is."""
    if isinstance(declared, t.Switch):
        return any(map(_holds_octets, declared.cases.values()))
    return isinstance(declared, t.OctetSequenceType | t.OctetArray)


class _RandomValue(VolatileValue):  # type: ignore[type-arg]
    """Be another value of a declared type each time."""

    def __init__(self, declared: t.CDRType) -> None:
        self.declared = declared

    def _fix(self) -> Any:
        draw = _drawer(self.declared)
        assert draw is not None
        return draw()


def _drawer(declared: t.CDRType) -> Callable[[], Any] | None:
    """Return what makes random values of a type without members; None for others."""
    match declared:
        case t.Boolean:
            return lambda: random.random() < 0.5
        case t.Primitive(format=letter, size=size) if letter in "BhHiIqQ":
            least = -(1 << 8 * size - 1) if letter.islower() else 0
            return lambda: random.choice((least, 0, 1, least + (1 << 8 * size) - 1, least + random.getrandbits(8 * size)))
        case t.StringType(bound=bound):
            return lambda: "".join(chr(random.randrange(1, 256)) for _ in range(_length(bound)))
        case WideString(bound=bound):
            return lambda: "".join(chr(random.randrange(1, 0xD800)) for _ in range(_length(bound)))
        case t.OctetSequenceType(bound=bound):
            return lambda: random.randbytes(_length(bound))
        case t.OctetArray(length=length):
            return lambda: random.randbytes(length)
        case t.Enum(cls=cls):
            return lambda: int(random.choice(tuple(cls)))
    return None


def _length(bound: int | None) -> int:
    return random.randrange(min(_RANDOM_LENGTH, _RANDOM_LENGTH if bound is None else bound) + 1)


def _plain(value: Any, declared: t.CDRType) -> Any:
    """Return the value of `iiop` that is in a field of a type."""
    if isinstance(value, CDRPacket):
        return value.cdr_value()
    if isinstance(value, VolatileValue):
        value = value._fix()
    if isinstance(value, list):
        element = declared.element if isinstance(declared, t.Sequence | t.Array) else declared
        return tuple([_plain(item, element) for item in value])
    if isinstance(declared, t.Enum):
        with contextlib.suppress(ValueError):
            return declared.cls(value)
    return value


def dissected(layer: type[CDRPacket], octets: bytes, underlayer: Packet) -> CDRPacket | None:
    """Return octets behind a layer as another one; None if they are not laid out so."""
    try:
        return layer(octets, _internal=1, _underlayer=underlayer)
    except DecodeError:
        return None


def packet_of(value: Any) -> Any:
    """Return the layer that a value of a declared structure is; a list for a tuple, a number for an enum member, else the value.

    >>> from naming.types import NameComponent
    >>> packet_of(NameComponent("TDsample", "context"))
    <NameComponent  id='TDsample' kind='context' |>
    """
    if isinstance(value, ior.IOR):
        value = value.to_iop()
    if isinstance(value, enum.IntEnum):
        return int(value)
    if isinstance(value, list | tuple):
        return [packet_of(item) for item in value]
    if isinstance(value, type) or not dataclasses.is_dataclass(value):
        return value
    declared = cdr_type(type(value))
    if not isinstance(declared, t.Struct):
        return value
    layer = layer_of(declared)
    packet = layer()
    packet.fields = layer.cdr_fields(value)
    packet.explicit = 1
    return packet


_layers: dict[int, tuple[t.Struct, type[CDRPacket]]] = {}
"""By identity of the declaration, which is kept so that its identity stays its own."""


def layer_of(declared: Any, base: type[CDRPacket] = CDRPacket, **defaults: Any) -> type[CDRPacket]:
    """Return the layer of a declared structure, always the same one.

    Args:
        declared: a dataclass, or a structure.
        base: what the layer knows besides.
        defaults: values of members that are not given, where that is not zero or empty.

    Raises:
        TypeError: no structure is declared.
    """
    struct = cdr_type(declared)
    if not isinstance(struct, t.Struct):
        raise TypeError(f"{declared!r} declares no structure")
    if id(struct) not in _layers:
        first = {member.type.on: next(iter(member.type.cases)) for member in struct.fields if isinstance(member.type, t.Switch)}
        deciding = {member.type.on for member in struct.fields if isinstance(member.type, t.Switch | t.Dependent)}
        fields = [
            base.cdr_field(name, kind, fuzzed=name not in deciding, default=(first | defaults).get(name, _default(kind)))
            for name, kind in struct.fields
        ]
        body = {
            "name": struct.name,
            "fields_desc": fields,
            "cdr_struct": struct,
            "cdr_codec": Codec(struct),
            "__doc__": base.__doc__,
        }
        _layers[id(struct)] = struct, type(struct.name.replace(" ", "_"), (base,), body)
    return _layers[id(struct)][1]


def _default(declared: t.CDRType) -> Any:
    """Return zero, or what is empty; None where only the user knows a value."""
    match declared:
        case t.Boolean:
            return False
        case t.Char | WideChar():
            return "\0"
        case t.Primitive():
            return 0
        case t.StringType() | WideString():
            return ""
        case t.OctetSequenceType():
            return b""
        case t.OctetArray(length=length):
            return bytes(length)
        case t.Sequence():
            return []
        case t.Array(element=element, length=length):
            return [_default(element) for _ in range(length)]
        case t.Enum(cls=cls):
            return int(next(iter(cls)))
        case t.Struct():
            return layer_of(declared)()
        case t.Switch(cases=cases):
            arm = next(iter(cases.values()))
            return None if arm is None else _default(arm)
    return None
