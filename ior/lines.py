"""What references say, as lines for people: a label, and what it labels.

Bulk text is made here, tens of thousands of references a second: what components say is remembered, for those of the references
of one server are mostly the same.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

from iiop.exceptions.errors import DecodeError
from iiop.iop import COMPONENTS, Layout, ProfileId
from ior.describe import describe, tag_text
from ior.object_keys import PlainKey, recognise
from ior.profiles import Component, IIOPProfile, Profile, UnknownProfile
from ior.reference import IOR
from ior.text import display, display_text
from ior.url import Corbaloc, Corbaname, ObjectURL

__all__ = ["Line", "lines_of"]

Line: TypeAlias = tuple[int, str, str]
"""Indent, label, and value; all printable ASCII."""

_KEPT = 1024
"""Octets of a component up to which its line is remembered."""


def lines_of(reference: ObjectURL) -> list[Line]:
    """Return what a reference says; broken parts say why.

    >>> from ior import parse_object_url
    >>> lines_of(parse_object_url("corbaloc::vhost:8002/k"))[1]
    (2, 'address', 'IIOP 1.0, host vhost, port 8002')
    """
    if isinstance(reference, IOR):
        lines = [(0, "type id", f'"{display_text(reference.type_id)}"')]
        if not reference.profiles:
            lines.append((0, "nil", "the reference has no profiles"))
        for number, profile in enumerate(reference.profiles, 1):
            lines.append((0, f"profile {number}", tag_text(profile.name, profile.tag)))
            lines += _profile(profile)
        return lines
    location = reference.corbaloc if isinstance(reference, Corbaname) else reference
    lines = [(0, "corbaname" if isinstance(reference, Corbaname) else "corbaloc", "")]
    lines += [*_addresses(location), *_key(location.object_key)]
    if isinstance(reference, Corbaname):
        lines.append((2, "name", display_text(reference.name)))
    return lines


def _addresses(location: Corbaloc) -> list[Line]:
    lines: list[Line] = []
    for address in location.addresses:
        if address.protocol == "iiop":
            lines.append((2, "address", f"IIOP {address.version}, host {address.host}, port {address.port}"))
        else:
            lines.append((2, "address", str(address)))
    return lines


def _profile(profile: Profile) -> list[Line]:
    error = profile.error
    if error is not None:
        return [(2, "error", _error(error)), (2, "octets", _octets(profile.profile_data))]
    if isinstance(profile, IIOPProfile):
        body = profile.body
        lines = [
            (2, "version", f"IIOP {body.iiop_version.major}.{body.iiop_version.minor}"),
            (2, "host", display_text(body.host)),
            (2, "port", str(body.port)),
            *_key(body.object_key),
        ]
        return lines + [_component(each.tag, each.component_data) for each in body.components]
    lines = []
    if isinstance(profile, UnknownProfile) and profile.tag != ProfileId.TAG_MULTIPLE_COMPONENTS:
        value = profile.value
        if value is not profile.profile_data:
            lines.append((2, "says", describe(value)))
    components = profile.components
    if not components:
        lines.append((2, "octets", _octets(profile.profile_data)))
    return lines + [_component(each.tag, each.component_data) for each in components]


def _component(tag: int, octets: bytes) -> Line:
    say = _say_once if len(octets) <= _KEPT else _say
    return say(tag, octets, COMPONENTS.layouts(tag))


def _say(tag: int, octets: bytes, layouts: tuple[Layout, ...]) -> Line:
    component = Component(tag, octets)
    value, error = component.value, component.error
    if value is not octets:
        text = describe(value)
    else:
        text = _octets(octets) if error is None else f"error: {_error(error)}; octets {_octets(octets)}"
    return 2, "component", f"{tag_text(component.name, tag)}: {text}"


_say_once = functools.lru_cache(maxsize=1024)(_say)


def _key(octets: bytes) -> list[Line]:
    lines = [(2, "key hex", _octets(octets)), (2, "key text", display(octets))]
    found = recognise(octets)
    if found is not None and not isinstance(found, PlainKey):
        lines.append((2, "key says", describe(found)))
    return lines


def _error(error: DecodeError) -> str:
    place = error.path or "value"
    return display_text(f"{place if error.offset is None else f'{place} at offset {error.offset}'}: {error.reason}")


def _octets(octets: bytes) -> str:
    count = len(octets)
    return f"{octets.hex()} ({count} octet{'' if count == 1 else 's'})" if count else "(no octets)"
