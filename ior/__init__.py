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

from typing import TYPE_CHECKING

from iiop.late import late_names

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

__getattr__ = late_names(__name__, __all__, ("reference", "url", "builder", "profiles", "object_keys", "registry"))
