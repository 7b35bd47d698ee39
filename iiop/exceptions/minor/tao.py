"""Minor codes of TAO, block 0x54410000 ("TA"): a place in 5 bits, then an errno in 7.

The errno is TAO's own number for 20 of the usual ones; any other is the low 7 bits of what the server's operating system
calls it, and stays a number here.

Sources: DOCGroup/ACE_TAO TAO/tao/ORB_Constants.h (places), TAO/tao/SystemException.cpp (errno).
"""

from __future__ import annotations

from iiop.exceptions.minor.core import MinorCode, register_decoder

TAO_VMCID = 0x54410000

LOCATIONS: dict[int, tuple[str, str]] = {
    0x00: ("", "no place given"),
    0x01: ("INVOCATION_LOCATION_FORWARD", "a LOCATION_FORWARD could not be followed"),
    0x02: ("INVOCATION_SEND_REQUEST", "the request could not be sent"),
    0x03: ("POA_DISCARDING", "the POA discards requests"),
    0x04: ("POA_HOLDING", "the POA holds requests"),
    0x05: ("UNHANDLED_SERVER_CXX_EXCEPTION", "the servant raised a C++ exception that is not CORBA's"),
    0x06: ("INVOCATION_RECV_REQUEST", "the reply could not be received"),
    0x07: ("CONNECTOR_REGISTRY_NO_USABLE_PROTOCOL", "no protocol of this ORB understands the reference"),
    0x08: ("MPROFILE_CREATION_ERROR", "the list of profiles could not be made"),
    0x09: ("TIMEOUT_CONNECT", "timeout while connecting"),
    0x0A: ("TIMEOUT_SEND", "timeout while sending"),
    0x0B: ("TIMEOUT_RECV", "timeout while waiting for the reply"),
    0x0C: ("IMPLREPO", "the Implementation Repository failed"),
    0x0D: ("ACCEPTOR_REGISTRY_OPEN", "an endpoint could not be opened"),
    0x0E: ("ORB_CORE_INIT", "the ORB could not be initialised"),
    0x0F: ("POLICY_NARROW", "a policy is of another type than expected"),
    0x10: ("GUARD_FAILURE", "a lock could not be taken"),
    0x11: ("POA_BEING_DESTROYED", "the POA is being destroyed"),
    0x12: ("POA_INACTIVE", "the POA is inactive"),
    0x13: ("CONNECTOR_REGISTRY_INIT", "the connectors could not be initialised"),
    0x14: ("AMH_REPLY", "an asynchronous servant's reply could not be sent"),
    0x15: ("RTCORBA_THREAD_CREATION", "a thread of an RT-CORBA pool could not be started"),
}
"""Bits 7 to 11: TAO's name, without its suffixes, and what went wrong there."""

ERRNOS = (
    "",
    "ETIMEDOUT",
    "ENFILE",
    "EMFILE",
    "EPIPE",
    "ECONNREFUSED",
    "ENOENT",
    "EBADF",
    "ENOSYS",
    "EPERM",
    "EAFNOSUPPORT",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EFAULT",
    "EBUSY",
    "EEXIST",
    "EINVAL",
    "ECOMM",
    "ECONNRESET",
    "ENOTSUP",
)
"""Bits 0 to 6, by TAO's number; 0 says nothing."""


def decode_tao(exception: str, minor: int) -> MinorCode | None:
    """Take a code of TAO apart; 0x54410000 itself says nothing."""
    location, errno = minor >> 7 & 0x1F, minor & 0x7F
    if not location and not errno:
        return None
    place, meaning = LOCATIONS.get(location, (f"LOCATION_{location:#04x}", f"at a place not known here, {location:#04x}"))
    cause = "" if not errno else ERRNOS[errno] if errno < len(ERRNOS) else f"errno & 0x7f == {errno}"
    name = "/".join(filter(None, (place, cause if errno < len(ERRNOS) else f"ERRNO_{errno}")))
    if cause:
        meaning += f"; {'errno ' if errno < len(ERRNOS) else ''}{cause}"
    return MinorCode(minor, "TAO", exception, name, meaning)


register_decoder(TAO_VMCID, decode_tao)
