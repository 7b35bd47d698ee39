"""IDL interfaces as typed Python: operations declared once, called through stubs, served by servants."""

from iiop.idl.interface import Interface, Invoker, Operation, operation, without_prefix
from iiop.idl.servant import ForwardRequest, ObjectAdapter, Servant

__all__ = ["ForwardRequest", "Interface", "Invoker", "ObjectAdapter", "Operation", "Servant", "operation", "without_prefix"]
