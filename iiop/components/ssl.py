"""Module SSLIOP: the port of an object that is also, or only, reached over TLS.

Source: CORBA Security Service 1.8, IDL module SSLIOP; the flags also in CORBA 3.3 part 2, clause 10.5 (CSIIOP). The longer shape
is that of VisiBroker as omniORB's `ior.cc` reads it; ORBit2 writes it too (tests/vectors/iors.jsonl).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import ULong, UShort
from iiop.iop import ComponentId, register_component

__all__ = ["SSL", "AssociationOptions", "SSLVisiBroker", "tls_port"]


class AssociationOptions(enum.IntFlag):
    """Name the bits of `target_supports` and `target_requires` (CSIIOP::AssociationOptions)."""

    NoProtection = 1
    Integrity = 2
    Confidentiality = 4
    DetectReplay = 8
    DetectMisordering = 16
    EstablishTrustInTarget = 32
    EstablishTrustInClient = 64
    NoDelegation = 128
    SimpleDelegation = 256
    CompositeDelegation = 512
    IdentityAssertion = 1024
    DelegationByClient = 2048


@dataclass(frozen=True, slots=True)
class SSL:
    """Declare TAG_SSL_SEC_TRANS: options as in `AssociationOptions`, and the TLS port on the host of the profile."""

    target_supports: Annotated[int, UShort]
    target_requires: Annotated[int, UShort]
    port: Annotated[int, UShort]


@dataclass(frozen=True, slots=True)
class SSLVisiBroker:
    """Declare TAG_SSL_SEC_TRANS as VisiBroker and ORBit2 write it: the same with options of four octets each."""

    target_supports: Annotated[int, ULong]
    target_requires: Annotated[int, ULong]
    port: Annotated[int, UShort]


def tls_port(port: int, *, required: bool = False, client_certificate: bool = False) -> SSL:
    """Return what a server says of the port where it speaks TLS.

    Args:
        port: 1 to 65535.
        required: it is reached by TLS only; the plain addresses of the profile do not count.
        client_certificate: it asks clients for certificates.
    """
    option = AssociationOptions
    requires = option.Integrity | option.Confidentiality
    supports = requires | option.DetectReplay | option.DetectMisordering | option.EstablishTrustInTarget
    trusted = option.EstablishTrustInClient if client_certificate else option(0)
    if required:
        return SSL(supports | trusted, requires | trusted, port)
    return SSL(supports | trusted | option.NoProtection, option.NoProtection, port)


register_component(ComponentId.TAG_SSL_SEC_TRANS, SSL, SSLVisiBroker)
