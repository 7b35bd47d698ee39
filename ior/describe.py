"""What references say, as plain data for scripts and as short text for people.

`as_data` gives only dict, list, str, int, bool and None, ready for `json.dumps`; its keys are stable, new ones may be added.
Knows how values are shown, not how they were read, and not where they are printed.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import sys
from typing import Any

from iiop.exceptions.errors import DecodeError, IIOPError, LimitExceeded, ReferenceFormatError
from iiop.iop import ProfileId
from iiop.profile import AlternateAddress, CodeSetComponent, CodeSetComponentInfo, ListenPoint, ORBType, Version
from ior.object_keys import MarkedKey, ObjectKey, recognise
from ior.profiles import Component, Profile, UnknownProfile
from ior.reference import IOR
from ior.registry import code_set_name, orb_type_name, vendor_name
from ior.text import display, display_text
from ior.url import Corbaloc, Corbaname, ObjectURL

__all__ = ["address_text", "as_data", "describe", "error_data", "key_data", "tag_text"]


def tag_text(name: str | None, tag: int) -> str:
    """Return a tag as name and number; without a name the number, and whose it may be.

    >>> tag_text("TAG_CODE_SETS", 1), tag_text(None, 0x42454103), tag_text(None, 99)
    ('TAG_CODE_SETS (1)', '0x42454103 (BEA?)', '0x63')
    """
    if name:
        return f"{name} ({tag})" if tag < 0x10000 else f"{name} ({tag:#x})"
    vendor = vendor_name(tag)
    return f"{tag:#x} ({vendor}?)" if vendor else f"{tag:#x}"


_MORE = ("ior.describe_components", "ior.describe_contexts")
"""Modules that register further types, imported before a value of a type that is not known is shown field by field."""


@functools.singledispatch
def describe(value: Any) -> str:
    """Return a value of a component as one line of printable ASCII; register more types with `describe.register`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for module in _MORE:
            if module not in sys.modules:  # it may know this type better
                importlib.import_module(module)
                return describe(value)
        return ", ".join(f"{item.name} {describe(getattr(value, item.name))}" for item in dataclasses.fields(value))
    if isinstance(value, tuple | list):
        return f"({', '.join(describe(item) for item in value)})"
    return display_text(value if isinstance(value, str) else str(value))


@describe.register
def _(value: bytes) -> str:
    return f"{value.hex()} ({_octets(len(value))})" if value else _octets(0)


@describe.register
def _(value: ORBType) -> str:
    return f"{orb_type_name(value.orb_type) or 'unknown'} ({value.orb_type:#010x})"


@describe.register
def _(value: CodeSetComponentInfo) -> str:
    return f"char {describe(value.for_char_data)}; wchar {describe(value.for_wchar_data)}"


@describe.register
def _(value: CodeSetComponent) -> str:
    text = _code_set(value.native_code_set)
    if value.conversion_code_sets:
        text += f", converts {', '.join(map(_code_set, value.conversion_code_sets))}"
    return text


@describe.register
def _(value: AlternateAddress | ListenPoint) -> str:
    return address_text(value.host, value.port)


@describe.register
def _(value: Version) -> str:
    return str(value)


@describe.register
def _(value: enum.Enum) -> str:
    return value.name


@describe.register
def _(value: ObjectKey) -> str:
    said = ", ".join(f"{name} {_part(part)}" for name, part in value.parts.items())
    whose = f"{value.vendor} {value.layout}".strip()
    return f"{display_text(whose)}{' (by its look)' if value.guess and value.vendor else ''}: {said}"


@describe.register
def _(value: MarkedKey) -> str:
    return f"{value.vendor} key, by the mark it begins with"


def _part(value: Any) -> str:
    if isinstance(value, tuple):
        return display_text("/" + "/".join(value))
    if isinstance(value, bytes | str):
        return f'"{display(value) if isinstance(value, bytes) else display_text(value)}"'
    return str(value)


def address_text(host: str, port: int) -> str:
    """Return host and port as one word; an IPv6 address in brackets."""
    host = display_text(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _octets(count: int) -> str:
    return "1 octet" if count == 1 else f"{count} octets"


def _code_set(number: int) -> str:
    name = code_set_name(number)
    return f"{name} ({number:#010x})" if name else f"{number:#010x}"


def as_data(reference: ObjectURL) -> dict[str, Any]:
    """Return what a reference says as plain data.

    The key `kind` is `IOR`, `corbaloc` or `corbaname`. Broken parts have a key `error` in place of what they would say.
    """
    if isinstance(reference, IOR):
        return {
            "kind": "IOR",
            "type_id": reference.type_id,
            "byte_order": reference.byte_order.name.lower(),
            "profiles": [_profile_data(profile) for profile in reference.profiles],
        }
    if isinstance(reference, Corbaname):
        return {"kind": "corbaname", **_location_data(reference.corbaloc), "name": reference.name}
    return {"kind": "corbaloc", **_location_data(reference)}


def _location_data(location: Corbaloc) -> dict[str, Any]:
    addresses: list[dict[str, Any]] = []
    for address in location.addresses:
        if address.protocol == "iiop":
            where = {"version": str(address.version), "host": address.host, "port": address.port}
        else:
            where = {"text": address.text}
        addresses.append({"protocol": address.protocol, **where})
    return {"addresses": addresses, "object_key": key_data(location.object_key)}


def key_data(octets: bytes) -> dict[str, Any]:
    """Return an object key in hex and in text, and under `recognised` what it says if its layout is known, else None."""
    data: dict[str, Any] = {"hex": octets.hex(), "text": display(octets), "recognised": None}
    found = recognise(octets)
    if found is not None:
        data["recognised"] = {
            "vendor": found.vendor,
            "layout": found.layout,
            "guess": found.guess,
            "parts": _plain(found.parts),
            "text": describe(found),
        }
    return data


def _profile_data(profile: Profile) -> dict[str, Any]:
    data: dict[str, Any] = {"tag": profile.tag, "name": profile.name}
    error = profile.error
    if error is not None:
        return data | {"error": error_data(error), "hex": profile.profile_data.hex()}
    if isinstance(profile, UnknownProfile):
        data["hex"] = profile.profile_data.hex()
        value = profile.value
        if value is not profile.profile_data and profile.tag != ProfileId.TAG_MULTIPLE_COMPONENTS:
            data |= {"value": _plain(value), "text": describe(value)}
    else:
        body = profile.body
        data |= {
            "version": str(body.iiop_version),
            "host": body.host,
            "port": body.port,
            "object_key": key_data(body.object_key),
        }
    data["components"] = [_component_data(component) for component in profile.components]
    return data


def _component_data(component: Component) -> dict[str, Any]:
    octets = component.component_data
    data: dict[str, Any] = {"tag": component.tag, "name": component.name, "length": len(octets), "hex": octets.hex()}
    value = component.value
    if value is not octets:
        return data | {"value": _plain(value), "text": describe(value)}
    error = component.error
    return data if error is None else data | {"error": error_data(error)}


def _plain(value: Any) -> Any:
    """Return a typed value as plain data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Enum):
        return value.value
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def error_data(error: IIOPError) -> dict[str, Any]:
    """Return an error as plain data: its type, reason, and place: `path` and `offset` in octets, or `position` in text."""
    data: dict[str, Any] = {"type": type(error).__name__, "reason": getattr(error, "reason", None) or str(error)}
    if isinstance(error, DecodeError):
        data |= {"path": error.path, "offset": error.offset}
    if isinstance(error, LimitExceeded):
        data |= {"limit": error.limit}
    if isinstance(error, ReferenceFormatError):
        data |= {"position": error.position}
    return data
