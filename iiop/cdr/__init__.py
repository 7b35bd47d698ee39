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

Values of value types are plain objects; one that is mentioned twice is one object, read and written:

>>> from iiop.cdr import Long, Value, value_type
>>> @value_type("IDL:Sample/Account:1.0")
... class Account(Value):
...     owner: str
...     balance: Annotated[int, Long]
>>> accounts = codec(tuple[Account | None, ...])
>>> first, again, equal, nothing = accounts.decode(accounts.encode((shared := Account("a", 7), shared, Account("a", 7), None)))
>>> first, nothing, first is again, first == equal, first is equal
(Account(owner='a', balance=7), None, True, True, False)
"""

from iiop.cdr.annotations import Bound, Length, arguments, cdr_type
from iiop.cdr.codec import Codec, codec, decapsulate, encapsulate
from iiop.cdr.idl_types import PRIVATE, Alias, Arm, ElementType, RepositoryId, union
from iiop.cdr.long_double import Binary128, LongDouble
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
    Latin1String,
    Long,
    LongLong,
    Octet,
    OctetArray,
    OctetSequence,
    OctetSequenceType,
    OpenEnum,
    Primitive,
    Principal,
    Sequence,
    Short,
    String,
    StringType,
    Struct,
    Switch,
    ULong,
    ULongLong,
    UShort,
)
from iiop.cdr.value_types import (
    CustomState,
    Value,
    ValueHeader,
    ValueType,
    abstract_interface,
    header_of,
    value_implementation,
    value_type,
)

__all__ = [
    "PRIVATE",
    "Alias",
    "Arm",
    "Array",
    "Binary128",
    "Boolean",
    "Bound",
    "ByteOrder",
    "CDRType",
    "Char",
    "Codec",
    "CustomState",
    "Double",
    "ElementType",
    "Encapsulation",
    "Enum",
    "Explained",
    "Field",
    "Float",
    "Latin1String",
    "Length",
    "Long",
    "LongDouble",
    "LongLong",
    "Octet",
    "OctetArray",
    "OctetSequence",
    "OctetSequenceType",
    "OpenEnum",
    "Primitive",
    "Principal",
    "RepositoryId",
    "Sequence",
    "Short",
    "String",
    "StringType",
    "Struct",
    "Switch",
    "ULong",
    "ULongLong",
    "UShort",
    "Value",
    "ValueHeader",
    "ValueType",
    "abstract_interface",
    "arguments",
    "cdr_type",
    "codec",
    "decapsulate",
    "encapsulate",
    "header_of",
    "union",
    "value_implementation",
    "value_type",
]
