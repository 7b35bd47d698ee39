"""CDR, the Common Data Representation: types declared once, and two engines that read and write them.

>>> from dataclasses import dataclass
>>> from typing import Annotated
>>> from iiop.cdr import ULong, codec
>>> @dataclass(frozen=True, slots=True)
... class Point:
...     name: str
...     x: Annotated[int, ULong]
>>> codec(Point).encode(Point("a", 7)).hex(" ")
'00 00 00 02 61 00 00 00 00 00 00 07'
"""

from iiop.cdr.codec import Codec, codec, decapsulate, encapsulate
from iiop.cdr.source import Explained
from iiop.cdr.types import (
    Array,
    Boolean,
    ByteOrder,
    CDRType,
    Char,
    Double,
    Encapsulation,
    Enum,
    Field,
    Float,
    Long,
    LongLong,
    Octet,
    OctetArray,
    OctetSequence,
    OctetSequenceType,
    OpenEnum,
    Primitive,
    Sequence,
    Short,
    String,
    StringType,
    Struct,
    Switch,
    ULong,
    ULongLong,
    UShort,
    arguments,
    cdr_type,
)

__all__ = [
    "Array",
    "Boolean",
    "ByteOrder",
    "CDRType",
    "Char",
    "Codec",
    "Double",
    "Encapsulation",
    "Enum",
    "Explained",
    "Field",
    "Float",
    "Long",
    "LongLong",
    "Octet",
    "OctetArray",
    "OctetSequence",
    "OctetSequenceType",
    "OpenEnum",
    "Primitive",
    "Sequence",
    "Short",
    "String",
    "StringType",
    "Struct",
    "Switch",
    "ULong",
    "ULongLong",
    "UShort",
    "arguments",
    "cdr_type",
    "codec",
    "decapsulate",
    "encapsulate",
]
