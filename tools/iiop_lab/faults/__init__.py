"""Faults to put before any CORBA server: a proxy, what it can do to octets and messages, and what that is aimed at.

    proxy      the only sockets: `FaultProxy`, to which faults are attached
    aim        `Aim`: direction, target, operation, nth, every, probability
    tcp        faults of TCP: latency, bandwidth, refused, lost, cut or sliced streams
    giop       faults of GIOP: messages lost, late, doubled, swapped, broken, in fragments
    answers    faults that answer instead of the server
    remarshal  faults that write a message anew: byte order, addresses in references
    registry   faults by name: `make_fault`, `register_fault`
    fault, conversation, stream: what faults are made of and work on, without sockets

New faults subclass `StreamFault` or `MessageFault`.
"""

from iiop_lab.faults.aim import Aim, Direction
from iiop_lab.faults.answers import (
    CloseConnectionInstead,
    Forward,
    ForwardLoop,
    MessageErrorInstead,
    NeedsAddressingMode,
    SystemExceptionInstead,
)
from iiop_lab.faults.fault import Attachment, Fault, MessageFault, StreamFault
from iiop_lab.faults.giop import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Fragmented,
    StalledFragment,
    SwapReplies,
    Truncate,
    WrongRequestId,
)
from iiop_lab.faults.proxy import FaultProxy
from iiop_lab.faults.registry import fault_names, make_fault, register_fault
from iiop_lab.faults.remarshal import OtherByteOrder, RewrittenHost
from iiop_lab.faults.tcp import (
    Bandwidth,
    BlackHole,
    Close,
    DataLimit,
    HalfOpen,
    Latency,
    Refuse,
    Reset,
    Slice,
    SlowClose,
)

__all__ = [
    "Aim",
    "Attachment",
    "Bandwidth",
    "BlackHole",
    "Close",
    "CloseConnectionInstead",
    "Corrupt",
    "DataLimit",
    "Delay",
    "Direction",
    "Drop",
    "Duplicate",
    "Fault",
    "FaultProxy",
    "Forward",
    "ForwardLoop",
    "Fragmented",
    "HalfOpen",
    "Latency",
    "MessageErrorInstead",
    "MessageFault",
    "NeedsAddressingMode",
    "OtherByteOrder",
    "Refuse",
    "Reset",
    "RewrittenHost",
    "Slice",
    "SlowClose",
    "StalledFragment",
    "StreamFault",
    "SwapReplies",
    "SystemExceptionInstead",
    "Truncate",
    "WrongRequestId",
    "fault_names",
    "make_fault",
    "register_fault",
]
