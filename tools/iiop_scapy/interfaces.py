# SPDX-License-Identifier: GPL-2.0-only
"""Arguments, results and exceptions of operations as layers: those of CosNaming, and of any interface one binds.

    bind_interface(Account)                          # a class of the IDL compiler, or written by hand
    GIOP() / RequestHeader_1_2() / NamingContextExt["resolve"].arguments(n=[NameComponent(id="TDsample")])

It must not know messages, but which header a body belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scapy.packet import bind_top_down

import naming.interfaces
import naming.types
from iiop.giop.messages import MessageType, ReplyStatus
from iiop.idl import Interface
from iiop_scapy.declared import CDRPacket, layer_of
from iiop_scapy.headers import ARGUMENTS, EXCEPTIONS, HEADERS, RESULTS

__all__ = ["BindingIterator", "NameComponent", "NamingContextExt", "OperationLayers", "bind_interface"]


class OperationLayers(NamedTuple):
    """Hold the layers of one operation.

    Attributes:
        arguments: the body of a Request; a field for each in and inout parameter.
        results: the body of a Reply; `result0` is the result, or where there is none the first out parameter, and so on.
        exceptions: bodies of a Reply by name: repository id, and `members`.
    """

    arguments: type[CDRPacket]
    results: type[CDRPacket]
    exceptions: Mapping[str, type[CDRPacket]]


def bind_interface(interface: type[Interface]) -> dict[str, OperationLayers]:
    """Have the bodies of calls of an interface dissected; return its layers by operation.

    Where interfaces have operations of one name, octets are what the one bound last says, if they can be.
    """
    found = {}
    for name, operation in interface.operations().items():
        raised: dict[str, type[CDRPacket]] = {}
        for repository_id, exception in operation.raised.items():
            layer = EXCEPTIONS.get(repository_id) or layer_of(exception.type, repository_id=repository_id)
            EXCEPTIONS[repository_id] = layer
            raised.setdefault(layer.__name__, layer)
        layers = OperationLayers(layer_of(operation.arguments.type), layer_of(operation.results.type), raised)
        written = f"{interface.__name__}[{name!r}]"
        layers.arguments.cdr_written = f"{written}.arguments"
        layers.results.cdr_written = f"{written}.results"
        for exception_name, layer in raised.items():
            layer.cdr_written = f"{written}.exceptions[{exception_name!r}]"
        for bodies, layer in ((ARGUMENTS, layers.arguments), (RESULTS, layers.results)):
            bodies[name] = (layer, *[other for other in bodies.get(name, ()) if other is not layer])
        for header in HEADERS[MessageType.Request].values():
            bind_top_down(header, layers.arguments, operation=operation.name)
        for header in HEADERS[MessageType.Reply].values():
            for layer in raised.values():
                bind_top_down(header, layer, reply_status=int(ReplyStatus.USER_EXCEPTION))
        found[name] = layers
    return found


NamingContextExt = bind_interface(naming.interfaces.NamingContextExt)
BindingIterator = bind_interface(naming.interfaces.BindingIterator)
NameComponent = layer_of(naming.types.NameComponent)
