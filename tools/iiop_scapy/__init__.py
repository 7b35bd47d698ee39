# SPDX-License-Identifier: GPL-2.0-only
"""Scapy layers for GIOP. Imports scapy, so it is licensed as scapy is (see LICENSE.txt); nothing in iiopkit imports it.

>>> from iiop.giop.messages import key_address
>>> from iiop_scapy import GIOP, NameComponent, NamingContextExt, RequestHeader_1_2
>>> resolve = NamingContextExt["resolve"].arguments(n=[NameComponent(id="TDsample")])
>>> request = GIOP() / RequestHeader_1_2(request_id=1, target=key_address(b"NameService")) / resolve
>>> GIOP(bytes(request)).summary()
"GIOP 1.2 Request 1 resolve b'NameService'"
"""

from __future__ import annotations

from iiop_scapy.declared import CDRPacket, layer_of, packet_of
from iiop_scapy.giop import GIOP, IIOP_PORTS, bind_iiop_port
from iiop_scapy.headers import (
    AddressingDisposition,
    CancelRequestHeader,
    FragmentHeader_1_2,
    LocateReplyHeader,
    LocateRequestHeader_1_0,
    LocateRequestHeader_1_2,
    ReplyHeader_1_0,
    ReplyHeader_1_2,
    RequestHeader_1_0,
    RequestHeader_1_1,
    RequestHeader_1_2,
    SystemExceptionReplyBody,
    TargetAddress,
)
from iiop_scapy.interfaces import BindingIterator, NameComponent, NamingContextExt, OperationLayers, bind_interface
from iiop_scapy.references import IOR, ServiceContext, TaggedComponent, TaggedProfile

__all__ = [
    "AddressingDisposition",
    "BindingIterator",
    "CDRPacket",
    "CancelRequestHeader",
    "FragmentHeader_1_2",
    "GIOP",
    "IIOP_PORTS",
    "IOR",
    "LocateReplyHeader",
    "LocateRequestHeader_1_0",
    "LocateRequestHeader_1_2",
    "NameComponent",
    "NamingContextExt",
    "OperationLayers",
    "ReplyHeader_1_0",
    "ReplyHeader_1_2",
    "RequestHeader_1_0",
    "RequestHeader_1_1",
    "RequestHeader_1_2",
    "ServiceContext",
    "SystemExceptionReplyBody",
    "TaggedComponent",
    "TaggedProfile",
    "TargetAddress",
    "bind_iiop_port",
    "bind_interface",
    "layer_of",
    "packet_of",
]
