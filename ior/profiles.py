"""Profiles and components as people see them: raw octets that are kept, and a typed view of them.

The octets are the value: two profiles are equal if tag and octets are. The view is decoded from them, and where that fails the
octets stay and `error` says why. Must not know text forms.

Source: CORBA 3.3 part 2, clause 9.7.2 "IIOP IOR Profiles", 7.6.6 "Standard IOR Components".
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Any

from iiop.cdr import ByteOrder
from iiop.exceptions.errors import DecodeError, EncodeError
from iiop.iop import COMPONENTS, PROFILES, Layout, ProfileId, TaggedComponent, TaggedProfile, register_profile
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import ProfileBody, Version, decode_profile, encode_profile
from ior import registry

__all__ = ["Component", "IIOPProfile", "Profile", "UnknownProfile", "profile_of"]

register_profile(ProfileId.TAG_MULTIPLE_COMPONENTS, tuple[TaggedComponent, ...])


def _bare(error: DecodeError) -> DecodeError:
    """Return the error without the frames it was raised through, so that it can be kept."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


@dataclass(frozen=True, slots=True)
class Component(TaggedComponent):
    """Hold one component: `tag`, `component_data`, and what they say.

    >>> Component(1096045571, bytes(8)).name
    'TAG_OMNIORB_PERSISTENT_ID'
    """

    @property
    def name(self) -> str | None:
        """Return the name of the tag, None if it has none here."""
        return registry.component_name(self.tag)

    @property
    def value(self) -> Any:
        """Return the typed value if the tag is registered (`register_component`) and the octets fit, else the octets."""
        return _read_component(self)[0]

    @property
    def error(self) -> DecodeError | None:
        """Return why the octets are not what was registered for the tag, with path and offset in them; None if they are."""
        return self.refusal()

    def refusal(self, limits: Limits | None = None) -> DecodeError | None:
        """Return `error` as it is within these limits; None for those that it was read with."""
        return _read_component(self, limits or DEFAULT_LIMITS)[1]


_KEPT = 1024
"""Octets of a component up to which it is remembered what it says: those of the references of one server are the same."""


def _read(tag: int, octets: bytes, layouts: tuple[Layout, ...], limits: Limits) -> tuple[Any, DecodeError | None]:
    """Return the value of a component, the octets if there is none, and why there is none though the tag is registered."""
    if not layouts:
        return octets, None
    try:
        return COMPONENTS.decode(tag, octets, limits), None
    except DecodeError as error:
        return octets, _bare(error)


_read_once = functools.lru_cache(maxsize=1024)(_read)


def _read_component(component: TaggedComponent, limits: Limits = DEFAULT_LIMITS) -> tuple[Any, DecodeError | None]:
    tag, octets = component.tag, component.component_data
    value, error = (_read_once if len(octets) <= _KEPT else _read)(tag, octets, COMPONENTS.layouts(tag), limits)
    # What is remembered are octets that are equal: who asks tells by their identity that there is no value.
    return octets if isinstance(value, bytes) and value == octets else value, error


@dataclass(frozen=True, slots=True)
class Profile(TaggedProfile):
    """Hold one profile: `tag`, `profile_data`, and what they say. Its kinds are `IIOPProfile` and `UnknownProfile`.

    The properties of an IIOP profile are there on every profile, so that `ior.profiles[0].host` can be written; on a profile
    that has no such thing they raise DecodeError.
    """

    @property
    def name(self) -> str | None:
        """Return the name of the tag, None if it has none here."""
        return registry.profile_name(self.tag)

    @property
    def error(self) -> DecodeError | None:
        """Return why the octets are not what their tag says, with path and offset in them; None if they are."""
        return self.refusal()

    def refusal(self, limits: Limits | None = None) -> DecodeError | None:
        """Return `error` as it is within these limits; None for those that it was read with."""
        return None

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing is broken, neither the profile nor any of its components."""
        return self.error is None and all(each.error is None for each in self.components)

    @property
    def components(self) -> tuple[Component, ...]:
        """Return the components, none if the profile has no place for them.

        Raises:
            DecodeError: the profile is broken.
        """
        return ()

    @property
    def body(self) -> ProfileBody:
        """Return the profile as IIOP has it.

        Raises:
            DecodeError: the profile is broken, or is no IIOP profile.
        """
        raise DecodeError(f"a profile with tag {self.name or hex(self.tag)} has no host, port and key")

    @property
    def version(self) -> Version:
        """Return the IIOP version; raises as `body` does."""
        return self.body.iiop_version

    @property
    def host(self) -> str:
        """Return name or address as it stands in the profile; raises as `body` does."""
        return self.body.host

    @property
    def port(self) -> int:
        """Return the port, 0 to 65535; raises as `body` does."""
        return self.body.port

    @property
    def object_key(self) -> bytes:
        """Return the object key; raises as `body` does."""
        return self.body.object_key


@dataclass(frozen=True, slots=True)
class IIOPProfile(Profile):
    """Hold a TAG_INTERNET_IOP profile.

    >>> profile = IIOPProfile.from_body(ProfileBody(Version(1, 0), "vhost", 8002, b"key"))
    >>> profile.host, profile.replace(host="10.0.0.1").host
    ('vhost', '10.0.0.1')
    """

    _body: ProfileBody | None = field(init=False, repr=False, compare=False)
    _error: DecodeError | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._read(DEFAULT_LIMITS)

    def _read(self, limits: Limits) -> None:
        body: ProfileBody | None = None
        error: DecodeError | None = None
        try:
            body = decode_profile(self.profile_data, limits=limits)
        except DecodeError as broken:
            error = _bare(broken)
        object.__setattr__(self, "_body", body)
        object.__setattr__(self, "_error", error)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.tag, self.profile_data)  # what was decoded is decoded again

    @classmethod
    def from_body(cls, body: ProfileBody, byte_order: ByteOrder = ByteOrder.BIG) -> IIOPProfile:
        """Return the profile with this content.

        Raises:
            EncodeError: a member does not fit, the version is not 1.x, or there are components in IIOP 1.0.
        """
        if body.iiop_version.major != 1:
            raise EncodeError(f"IIOP version {body.iiop_version} is not 1.x", path="iiop_version")
        made = encode_profile(body, byte_order)
        return cls(made.tag, made.profile_data)

    def refusal(self, limits: Limits | None = None) -> DecodeError | None:
        if limits is None:
            return self._error
        try:
            decode_profile(self.profile_data, limits=limits)
        except DecodeError as error:
            return _bare(error)
        return None

    @property
    def body(self) -> ProfileBody:
        if self._body is None:
            assert self._error is not None
            raise self._error.with_traceback(None)
        return self._body

    @property
    def is_sound(self) -> bool:
        body = self._body
        return body is not None and not any(_read_component(each)[1] for each in body.components)

    @property
    def components(self) -> tuple[Component, ...]:
        return tuple([Component(item.tag, item.component_data) for item in self.body.components])

    @property
    def byte_order(self) -> ByteOrder:
        """Return the byte order of the profile; raises DecodeError if the profile is broken."""
        self.body  # noqa: B018
        return ByteOrder(self.profile_data[0])

    def replace(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        object_key: bytes | None = None,
        version: Version | None = None,
        components: tuple[TaggedComponent, ...] | None = None,
    ) -> IIOPProfile:
        """Return a profile with some members changed, in the same byte order. Padding becomes zero.

        Args:
            host: name or address; this and the others: None to leave as it is.
            port: 0 to 65535.
            object_key: any octets.
            version: 1.x.
            components: instead of all that were there.

        Raises:
            DecodeError: the profile is broken.
            EncodeError: a new member does not fit.
        """
        given = {"host": host, "port": port, "object_key": object_key, "iiop_version": version, "components": components}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return self.from_body(dataclasses.replace(self.body, **changes), self.byte_order)


@dataclass(frozen=True, slots=True)
class UnknownProfile(Profile):
    """Hold a profile that is not TAG_INTERNET_IOP: kept as octets, and typed if its tag is registered (`register_profile`)."""

    @property
    def value(self) -> Any:
        """Return the typed value if the tag is registered and the octets fit, else the octets."""
        try:
            return PROFILES.decode(self.tag, self.profile_data) if self.tag in PROFILES else self.profile_data
        except DecodeError:
            return self.profile_data

    def refusal(self, limits: Limits | None = None) -> DecodeError | None:
        try:
            if self.tag in PROFILES:
                PROFILES.decode(self.tag, self.profile_data, limits or DEFAULT_LIMITS)
        except DecodeError as error:
            return _bare(error)
        return None

    @property
    def components(self) -> tuple[Component, ...]:
        if self.tag != ProfileId.TAG_MULTIPLE_COMPONENTS:
            return ()
        return tuple([Component(item.tag, item.component_data) for item in PROFILES.decode(self.tag, self.profile_data)])


def profile_of(tagged: TaggedProfile, limits: Limits = DEFAULT_LIMITS) -> Profile:
    """Return the view of a raw profile, read within the limits; never fails, see `Profile.error`."""
    if isinstance(tagged, Profile):
        return tagged
    if tagged.tag != ProfileId.TAG_INTERNET_IOP:
        return UnknownProfile(tagged.tag, tagged.profile_data)
    made = IIOPProfile(tagged.tag, tagged.profile_data)
    if limits is not DEFAULT_LIMITS:
        made._read(limits)
    return made
