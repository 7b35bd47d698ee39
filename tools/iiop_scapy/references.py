# SPDX-License-Identifier: GPL-2.0-only
"""The layers of module IOP: references, their profiles and components, and service contexts.

Each of the last three is a tag and octets. Octets of a tag that is known are shown with what they say, and may be given as the
typed value that `iiop` has for them.

Source: CORBA 3.3 part 2, clause 7.6 "Object References", 7.7 "Service Context".
"""

from __future__ import annotations

from typing import Any, ClassVar

from scapy.fields import RawVal
from scapy.volatile import VolatileValue

import iiop.components
import iiop.service_contexts  # noqa: F401  registers what service contexts hold
from iiop import iop
from iiop.cdr import OctetSequence, OpenEnum
from iiop.exceptions.errors import DecodeError, EncodeError
from iiop.profile import ProfileBody, decode_profile, encode_profile
from iiop_scapy.declared import CDRField, CDRPacket, layer_of

__all__ = ["IOR", "ServiceContext", "TaggedComponent", "TaggedProfile"]


class _TaggedField(CDRField):
    """Hold a tag, a number or a name that the OMG has given it, or the octets that it tells the meaning of."""

    def any2i(self, pkt: Any, x: Any) -> Any:
        if self.declared is OctetSequence and not isinstance(x, bytes | str | RawVal | VolatileValue):
            return pkt.cdr_octets(x)
        if self.declared is not OctetSequence and isinstance(x, str):
            return int(pkt.cdr_tags[x])
        return super().any2i(pkt, x)

    def i2repr(self, pkt: Any, x: Any) -> str:
        if self.declared is not OctetSequence:
            return next((tag.name for tag in pkt.cdr_tags if tag == x), super().i2repr(pkt, x))
        said = pkt.cdr_said(x)
        return super().i2repr(pkt, x) if said is None else f"{x!r} {said!r}"


class _Tagged(CDRPacket):
    """Hold a tag and octets."""

    cdr_field = _TaggedField
    cdr_registry: ClassVar[iop.Registry]
    cdr_tags: ClassVar[type[OpenEnum]]

    def _tag(self) -> int:
        tag: int = self.getfieldval(self.fields_desc[0].name)
        return tag

    def cdr_said(self, octets: bytes) -> Any:
        """Return what octets of this tag say; None where that is not known, or they do not say it."""
        try:
            return self._decode_octets(octets)
        except (KeyError, TypeError, DecodeError):
            return None

    def cdr_octets(self, value: Any) -> bytes:
        """Return the octets of a typed value.

        Raises:
            EncodeError: it does not fit, or the tag has no typed values.
        """
        try:
            return self._encode_value(value)
        except KeyError:
            raise EncodeError(f"nothing is known of the {self.cdr_registry.kind} {self._tag()}; give octets") from None

    def _decode_octets(self, octets: bytes) -> Any:
        return self.cdr_registry.decode(self._tag(), octets)

    def _encode_value(self, value: Any) -> bytes:
        return self.cdr_registry.encode(self._tag(), value)


class _Component(_Tagged):
    """Hold a component; `component_data` are octets, or the value that the component is."""

    cdr_registry = iop.COMPONENTS
    cdr_tags = iop.ComponentId


class _ServiceContext(_Tagged):
    """Hold a service context; `context_data` are octets, or the value that the context is."""

    cdr_registry = iop.SERVICE_CONTEXTS
    cdr_tags = iop.ServiceId


class _Profile(_Tagged):
    """Hold a profile; `profile_data` are octets, or the value that the profile is, as `iiop.profile.ProfileBody`."""

    cdr_registry = iop.PROFILES
    cdr_tags = iop.ProfileId

    def _decode_octets(self, octets: bytes) -> Any:
        return decode_profile(octets) if self._tag() == iop.ProfileId.TAG_INTERNET_IOP else super()._decode_octets(octets)

    def _encode_value(self, value: Any) -> bytes:
        return encode_profile(value).profile_data if isinstance(value, ProfileBody) else super()._encode_value(value)


class _Reference(CDRPacket):
    """Hold an object reference, without profiles the nil reference.

    `packet_of(ior.IOR.from_string(text))` makes it of a text, `str(ior.IOR.from_iop(reference.cdr_value()))` writes it as one.
    """


TaggedComponent = layer_of(iop.TaggedComponent, _Component)
TaggedProfile = layer_of(iop.TaggedProfile, _Profile)
ServiceContext = layer_of(iop.ServiceContext, _ServiceContext)
IOR = layer_of(iop.IOR, _Reference)
