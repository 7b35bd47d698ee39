"""What is read although the standard has it otherwise, or a careful writer would not do it; each by the ORB it is known from.

`Limits.leniency` carries it to every door that reads octets. The compiled engine reads as `DEFAULT` says; what it refuses, the
construct engine reads where more is allowed, and it reads everything where less is: `STRICT` is for judging what an ORB writes,
not for traffic.
"""

from __future__ import annotations

import enum

__all__ = ["DEFAULT", "LENIENT", "STRICT", "Leniency"]


class Leniency(enum.Flag):
    """Name what is let pass, after an ORB that writes it or that has a switch for reading it.

    OMNIORB_PADDING: padding octets that are not zero. omniORB leaves what was in its buffer, VisiBroker writes 0x20, WebSphere
        on z/OS 0xBD, TAO built with MSVC 0xCD. They are not kept when a value is written again.
    ORBIT2_COMPONENTS_IN_1_0: octets behind the body of an IIOP 1.0 profile, as the component list that ORBit2 puts there.
    JDK_BYTE_ORDER: an encapsulation in another byte order than what is around it. Clause 9.3.3 allows it; it shows that an ORB
        hands on what another has written, as the big-endian profiles of Java ORBs in the messages of others.
    JACORB_NULL_STRING: a string of length 0, read as the empty string, as JacORB with `jacorb.interop.null_string_encoding`
        writes a null; omniORB reads it with `strictIIOP = 0`.
    JACORB_LAX_BOOLEAN: a boolean above 1, read as True, as JacORB does with `jacorb.interop.lax_boolean_encoding`.
    OMNIORB_GARBAGE_AT_END: octets left over behind a value, an encapsulation or a message, as omniORB reads them with
        `strictIIOP = 0`.
    """

    OMNIORB_PADDING = enum.auto()
    ORBIT2_COMPONENTS_IN_1_0 = enum.auto()
    JDK_BYTE_ORDER = enum.auto()
    JACORB_NULL_STRING = enum.auto()
    JACORB_LAX_BOOLEAN = enum.auto()
    OMNIORB_GARBAGE_AT_END = enum.auto()


STRICT = Leniency(0)
DEFAULT = Leniency.OMNIORB_PADDING | Leniency.ORBIT2_COMPONENTS_IN_1_0 | Leniency.JDK_BYTE_ORDER
LENIENT = ~STRICT
