"""References for people: parse, build, change, and say what they mean. Nothing here touches the network.

>>> from ior import IOR, IORBuilder, corbaloc_of
>>> ior = IORBuilder("IDL:TDsample/tdtest:1.0").iiop("vhost", 8002, key=b"key").code_sets().build()
>>> IOR.from_string(str(ior)) == ior
True
>>> ior.profiles[0].host, ior.profiles[0].port, str(ior.endpoints()[0])
('vhost', 8002, 'vhost:8002')
>>> str(corbaloc_of(ior))
'corbaloc:iiop:1.2@vhost:8002/key'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ior.builder import IORBuilder
    from ior.object_keys import ObjectKey, recognise
    from ior.profiles import Component, IIOPProfile, Profile, UnknownProfile
    from ior.reference import IOR
    from ior.registry import register_component, register_profile
    from ior.url import Address, Corbaloc, Corbaname, ObjectURL, corbaloc_of, parse_object_url

__all__ = [
    "Address",
    "Component",
    "Corbaloc",
    "Corbaname",
    "IIOPProfile",
    "IOR",
    "IORBuilder",
    "ObjectKey",
    "ObjectURL",
    "Profile",
    "UnknownProfile",
    "corbaloc_of",
    "parse_object_url",
    "recognise",
    "register_component",
    "register_profile",
]

_MODULES = ("reference", "url", "builder", "profiles", "object_keys", "registry")
"""Where the names are; imported when one is asked for, so that a command that starts often reads no more than it needs."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        for module in _MODULES:
            found = getattr(importlib.import_module(f"{__name__}.{module}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
