"""IDL interfaces as typed Python: operations declared once, called through stubs, served by servants; IDL compiled to that."""

from iiop.idl.compiler import IDLError, load
from iiop.idl.interface import (
    AbstractReference,
    Answer,
    AsyncInterface,
    Interface,
    Invoker,
    Operation,
    asynchronous,
    operation,
    without_prefix,
)
from iiop.idl.narrowing import narrow, narrow_async
from iiop.idl.servant import ForwardRequest, ObjectAdapter, Servant

__all__ = [
    "AbstractReference",
    "Answer",
    "AsyncInterface",
    "ForwardRequest",
    "IDLError",
    "Interface",
    "Invoker",
    "ObjectAdapter",
    "Operation",
    "Servant",
    "asynchronous",
    "load",
    "narrow",
    "narrow_async",
    "operation",
    "without_prefix",
]
