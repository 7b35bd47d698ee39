"""What differs between two references, aspect by aspect, for people.

References are compared by what they say, not by octets: byte order and padding do not count. Components are compared as octets,
and a profile that is not IIOP, or broken, is compared whole.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass

from iiop import iop
from iiop.exceptions import DecodeError
from iiop.iop import ProfileId, TaggedComponent, TaggedProfile
from iiop.profile import ProfileBody, decode_profile
from ior.describe import describe, tag_text
from ior.profiles import Component
from ior.registry import profile_name

__all__ = ["Aspect", "Change", "changes_between"]


class Aspect(enum.StrEnum):
    """Name what of a reference can differ. `profiles` is how many there are, and all of one that is not IIOP."""

    type_id = "type_id"
    profiles = "profiles"
    version = "version"
    host = "host"
    port = "port"
    key = "key"
    components = "components"


@dataclass(frozen=True, slots=True)
class Change:
    """Say what an aspect is in one and in the other, as text for people.

    Attributes:
        aspect: an `Aspect`; users of this class may have more.
        profile: number of the profile it is about, from 0; None for the whole.
    """

    aspect: str
    a: str
    b: str
    profile: int | None = None


def changes_between(a: iop.IOR, b: iop.IOR, ignore: Set[str] = frozenset()) -> tuple[Change, ...]:
    """Return what differs between two references, nothing if they say the same.

    Args:
        a, b: the references.
        ignore: aspects that do not count.

    Examples:
        >>> from ior import IORBuilder
        >>> old, new = (IORBuilder("IDL:A:1.0").iiop(host, 8002, key=b"k").build() for host in ("old", "new"))
        >>> changes_between(old, new)
        (Change(aspect='host', a='old', b='new', profile=0),)
        >>> changes_between(old, new, {"host"})
        ()
    """
    if a.type_id == b.type_id and a.profiles == b.profiles:
        return ()
    found = [Change("type_id", repr(a.type_id), repr(b.type_id))] if a.type_id != b.type_id else []
    if len(a.profiles) != len(b.profiles):
        found.append(Change("profiles", str(len(a.profiles)), str(len(b.profiles))))
    for number, (one, other) in enumerate(zip(a.profiles, b.profiles, strict=False)):
        found += _of_profiles(number, one, other)
    return tuple([change for change in found if change.aspect not in ignore])


def _of_profiles(number: int, a: TaggedProfile, b: TaggedProfile) -> list[Change]:
    if (a.tag, a.profile_data) == (b.tag, b.profile_data):
        return []
    one, other = _body(a), _body(b)
    if one is None or other is None:
        return [Change("profiles", _profile_text(a), _profile_text(b), number)]
    rows = (
        ("version", str(one.iiop_version), str(other.iiop_version)),
        ("host", one.host, other.host),
        ("port", str(one.port), str(other.port)),
        ("key", _key_text(one.object_key), _key_text(other.object_key)),
    )
    found = [Change(aspect, x, y, number) for aspect, x, y in rows if x != y]
    if one.components != other.components:
        x, y = Counter(one.components), Counter(other.components)
        found.append(Change("components", _components_text(x - y), _components_text(y - x), number))
    return found


def _body(profile: TaggedProfile) -> ProfileBody | None:
    if profile.tag != ProfileId.TAG_INTERNET_IOP:
        return None
    try:
        return decode_profile(profile.profile_data)
    except DecodeError:
        return None


def _profile_text(profile: TaggedProfile) -> str:
    return f"{tag_text(profile_name(profile.tag), profile.tag)} {profile.profile_data.hex()}"


def _key_text(key: bytes) -> str:
    text = key.decode("ascii", "replace")
    return text if text.isprintable() and key.isascii() and not text.startswith("0x") else f"0x{key.hex()}"


def _components_text(components: Counter[TaggedComponent]) -> str:
    views = [Component(item.tag, item.component_data) for item in components.elements()]
    return ", ".join(f"{tag_text(view.name, view.tag)} {describe(view.value)}" for view in views) or "none"
