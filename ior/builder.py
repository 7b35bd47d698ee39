"""Build references in a line.

Knows what goes into a reference, not where it came from or what text it becomes; never touches the network.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from iiop.cdr import ByteOrder
from iiop.exceptions.errors import EncodeError
from iiop.iop import COMPONENTS, ComponentId, TaggedComponent, TaggedProfile
from iiop.profile import AlternateAddress, CodeSetComponent, CodeSetComponentInfo, ORBType, ProfileBody, Version
from ior.profiles import IIOPProfile, Profile, profile_of
from ior.reference import IOR

__all__ = ["DEFAULT_PORT", "IORBuilder"]

DEFAULT_PORT = 8002
"""Where Interstage listens, and where we do."""

ISO_8859_1, UTF_8, UTF_16 = 0x00010001, 0x05010001, 0x00010109


class IORBuilder:
    """Collect what a reference shall say, then `build()` it. Every method returns the builder.

    Components belong to the profile added last.

    >>> ior = IORBuilder("IDL:TDsample/tdtest:1.0").iiop("vhost", key=b"key").code_sets().alternate("host2").build()
    >>> [str(endpoint) for endpoint in ior.endpoints()]
    ['vhost:8002', 'host2:8002']

    Args:
        type_id: repository id; empty is allowed, and what a corbaloc gives.
        byte_order: of the reference, its profiles and its components.
    """

    def __init__(self, type_id: str = "", *, byte_order: ByteOrder = ByteOrder.BIG) -> None:
        self._type_id = type_id
        self._byte_order = byte_order
        self._profiles: list[ProfileBody | TaggedProfile] = []

    def iiop(self, host: str, port: int = DEFAULT_PORT, *, key: bytes, version: Version | tuple[int, int] = (1, 2)) -> Self:
        """Add an IIOP profile.

        Args:
            host: name or address; an IPv6 address without brackets.
            port: 0 to 65535.
            key: the object key, any octets.
            version: 1.x; 1.0 has no place for components.

        Raises:
            EncodeError: the version is not 1.x. What else does not fit is found by `build`.
        """
        version = Version(*version) if isinstance(version, tuple) else version
        if version.major != 1:
            raise EncodeError(f"IIOP version {version} is not 1.x", path=f"profiles[{len(self._profiles)}].iiop_version")
        self._profiles.append(ProfileBody(version, host, port, key))
        return self

    def profile(self, tag: int, profile_data: bytes) -> Self:
        """Add a profile of any kind, as octets."""
        self._profiles.append(TaggedProfile(tag, profile_data))
        return self

    def component(self, tag: int, value: Any) -> Self:
        """Add a component to the last profile.

        Args:
            tag: see `iiop.iop.ComponentId`.
            value: its octets, or a value of the type registered for the tag.

        Raises:
            EncodeError: the last profile is not IIOP 1.1 or later, nobody has registered the tag, or the value does not fit.
        """
        path = f"profiles[{len(self._profiles) - 1}].components"
        if not self._profiles:
            raise EncodeError("a component needs a profile to belong to: call iiop() first", path="profiles")
        body = self._profiles[-1]
        if not isinstance(body, ProfileBody):
            raise EncodeError("the last profile is octets: components can only be added to an IIOP profile", path=path)
        if body.iiop_version.minor == 0:
            raise EncodeError("a profile of IIOP 1.0 has no place for components: use version=(1, 1) or later", path=path)
        path += f"[{len(body.components)}]"
        if isinstance(value, bytes | bytearray | memoryview):
            octets = bytes(value)
        elif tag in COMPONENTS:
            try:
                octets = COMPONENTS.encode(tag, value, self._byte_order)
            except EncodeError as error:
                raise _within(error, path) from error
        else:
            raise EncodeError(f"nobody has registered what component {tag:#x} holds: give octets", path=path)
        added = (*body.components, TaggedComponent(tag, octets))
        self._profiles[-1] = dataclasses.replace(body, components=added)
        return self

    def code_sets(
        self,
        char: int = ISO_8859_1,
        wchar: int = UTF_16,
        *,
        char_conversions: tuple[int, ...] = (UTF_8,),
        wchar_conversions: tuple[int, ...] = (),
    ) -> Self:
        """Add TAG_CODE_SETS.

        Args:
            char: OSF number of the native code set for char and string, see `iiop.cdr.code_sets.CODE_SETS`.
            wchar: that for wchar and wstring.
            char_conversions: what the server converts char data from and to.
            wchar_conversions: the same for wchar data.

        Raises:
            EncodeError: as `component`.
        """
        sets = CodeSetComponentInfo(CodeSetComponent(char, char_conversions), CodeSetComponent(wchar, wchar_conversions))
        return self.component(ComponentId.TAG_CODE_SETS, sets)

    def alternate(self, host: str, port: int = DEFAULT_PORT) -> Self:
        """Add TAG_ALTERNATE_IIOP_ADDRESS, one more address of the same object.

        Raises:
            EncodeError: as `component`.
        """
        return self.component(ComponentId.TAG_ALTERNATE_IIOP_ADDRESS, AlternateAddress(host, port))

    def tls(self, port: int, *, required: bool = False, client_certificate: bool = False) -> Self:
        """Add TAG_SSL_SEC_TRANS, the port at which the host of the profile speaks TLS.

        Args:
            port: 1 to 65535.
            required: TLS only; the plain port of the profile, which may be 0 then, and alternates do not count.
            client_certificate: clients are asked for a certificate.

        Raises:
            EncodeError: as `component`.
        """
        from iiop.components import tls_port

        value = tls_port(port, required=required, client_certificate=client_certificate)
        return self.component(ComponentId.TAG_SSL_SEC_TRANS, value)

    def orb_type(self, number: int) -> Self:
        """Add TAG_ORB_TYPE, such as 0x464a0000 for Fujitsu.

        Raises:
            EncodeError: as `component`.
        """
        return self.component(ComponentId.TAG_ORB_TYPE, ORBType(number))

    def build(self) -> IOR:
        """Return the reference; without profiles it is the nil reference.

        Raises:
            EncodeError: a member does not fit; with path.
        """
        made: list[Profile] = []
        for number, profile in enumerate(self._profiles):
            if isinstance(profile, ProfileBody):
                try:
                    made.append(IIOPProfile.from_body(profile, self._byte_order))
                except EncodeError as error:
                    raise _within(error, f"profiles[{number}]") from error
            else:
                made.append(profile_of(profile))
        ior = IOR(self._type_id, tuple(made), byte_order=self._byte_order)
        ior.to_octets()
        return ior


def _within(error: EncodeError, path: str) -> EncodeError:
    return EncodeError(error.reason, path=f"{path}.{error.path}" if error.path else path)
