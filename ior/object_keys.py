r"""Object keys of ORBs whose layout is known, taken apart.

An object key belongs to the server that made it; nothing may depend on what is found here. It is for people, who want to see
which POA and which object a reference means. Recognised is what a public source describes or a mark gives away; where only the
look of a key speaks, the class says `guess`.

Sources: omniORB 4.3 `poa.cc` and live keys; JacORB `POAUtil.java`; TAO `Root_POA.cpp`; GlassFish ORB `ObjectKeyFactoryImpl.java`
and the templates it names; ORBacus as its descendant yoko has it, `ObjectKey.java`; Orbix, TAO `Catior_i.cpp`; the marks of
VisiBroker, ORB Plus and OmniBroker, the IOR parser of Xerox ILU; VisiBroker's members and the marks of BEA and IBM, the keys in
tests/vectors/iors.jsonl and in yoko's `IORDumpTest.java`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from iiop.cdr import Codec, Long, Octet, OctetArray, ULong, codec
from iiop.exceptions.errors import DecodeError

__all__ = [
    "JDKKey",
    "JacORBKey",
    "MarkedKey",
    "ORBacusKey",
    "ObjectKey",
    "OmniORBKey",
    "OrbixKey",
    "PlainKey",
    "TAOKey",
    "VisiBrokerKey",
    "recognise",
]


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """Hold an object key taken apart; each layout is a class of its own.

    Attributes:
        layout: what the layout is called here.
        guess: the key has no mark: another ORB may have made one that looks the same.
    """

    layout: ClassVar[str]
    guess: ClassVar[bool] = False
    vendor_name: ClassVar[str] = ""

    @property
    def vendor(self) -> str:
        """Return whose layout it is, empty if anybody's."""
        return self.vendor_name

    @property
    def parts(self) -> dict[str, Any]:
        """Return what the key says, by name: str, int, bool, bytes or a tuple of str; what it does not say is left out."""
        names = [member.name for member in dataclasses.fields(self)]
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class OmniORBKey(ObjectKey):
    """Hold a key of an omniORB POA.

    Attributes:
        poa: names from below the root POA; none: the root POA itself.
        unique_id: 8 octets that no other run of the server has; None: the POA is persistent.
    """

    layout = "POA key"
    vendor_name = "omniORB"
    poa: tuple[str, ...]
    unique_id: bytes | None
    object_id: bytes


@dataclass(frozen=True, slots=True)
class JacORBKey(ObjectKey):
    """Hold a key of JacORB: names and object id between slashes.

    Attributes:
        implementation: name of the server, or a number if it has none.
        poa: names from below the root POA.
    """

    layout = "POA key"
    guess = True
    vendor_name = "JacORB"
    implementation: str
    poa: tuple[str, ...]
    object_id: bytes


@dataclass(frozen=True, slots=True)
class TAOKey(ObjectKey):
    """Hold a key of a TAO POA.

    Attributes:
        root: the POA is the root POA.
        system_id: the object id was made by the POA.
        persistent: the key outlives the server.
        created: when a transient POA was, seconds and microseconds in the byte order of the server.
        poa: names, the root POA's first.
        object_id: as TAO has it, where it may stand behind 8 octets of a hint.
        rest: POA and object id, where their lengths depend on how the server was configured.
    """

    layout = "POA key"
    vendor_name = "TAO"
    root: bool
    system_id: bool
    persistent: bool
    created: bytes | None = None
    poa: tuple[str, ...] | None = None
    object_id: bytes | None = None
    rest: bytes | None = None


@dataclass(frozen=True, slots=True)
class ORBacusKey(ObjectKey):
    """Hold a key of ORBacus or of its descendant yoko.

    Attributes:
        created: seconds, as decimal digits; None: the POA is persistent.
        server_id: `_RootPOA` if the server has none.
        poa: names from below the root POA.
    """

    layout = "POA key"
    vendor_name = "ORBacus/yoko"
    created: str | None
    server_id: str
    poa: tuple[str, ...]
    object_id: bytes


@dataclass(frozen=True, slots=True)
class OrbixKey(ObjectKey):
    r"""Hold a key of Orbix 2 and 3: text between colons, beginning with `:\`."""

    layout = "marker key"
    vendor_name = "IONA (Orbix)"
    host: str
    server: str
    marker: str
    ir_host: str
    ir_server: str
    interface: str


@dataclass(frozen=True, slots=True)
class JDKKey(ObjectKey):
    """Hold a key of Sun's ORB: JDK 1.3 and later, J2EE SDK, GlassFish.

    Attributes:
        origin: which JDKs write this generation of keys.
        subcontract_id: which kind of dispatcher; 32 to 63 are POAs.
        persistent: the key outlives the server; None where there is no POA.
        orb_id: text; a number before JDK 1.4.
        poa: names; a number before JDK 1.4.
        version: of the ORB: 3 is J2EE SDK 1.3, 20 is "newer" for good; None before JDK 1.4.
    """

    layout = "key"
    vendor_name = "Sun"
    origin: str
    subcontract_id: int
    server_id: int
    persistent: bool | None = None
    orb_id: str | int | None = None
    poa: tuple[str, ...] | int | None = None
    object_id: bytes = b""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class VisiBrokerKey(ObjectKey):
    """Hold a key of a VisiBroker 4 POA: names from below the root POA, and the object id."""

    layout = "POA key"
    vendor_name = "Borland"
    poa: tuple[str, ...]
    object_id: bytes


@dataclass(frozen=True, slots=True)
class MarkedKey(ObjectKey):
    """Hold a key that a mark gives away, and whose layout is not public.

    Attributes:
        product: what made it.
        mark: the octets it begins with.
        rest: those behind.
    """

    layout = "key"
    product: str
    mark: bytes
    rest: bytes

    @property
    def vendor(self) -> str:
        return self.product

    @property
    def parts(self) -> dict[str, Any]:
        return {"mark": self.mark, "rest": self.rest}


@dataclass(frozen=True, slots=True)
class PlainKey(ObjectKey):
    """Hold a key that is just a name, as corbaloc URLs have them (Interoperable Naming Service)."""

    layout = "name"
    guess = True
    name: str


# --- taking apart -----------------------------------------------------------------------------------------------------

_MARKS = ((b"\0PMC", "Borland"), (b"\0BEA", "BEA"), (b"JMBI", "IBM"), (b"HP:", "HP"), (b"OB/", "OmniBroker"))
_NAME = re.compile(rb"[A-Za-z0-9_.-]+\Z")


def recognise(key: bytes) -> ObjectKey | None:
    r"""Return the key taken apart, None if its layout is not known here. Never fails.

    >>> recognise(b"\xffpers\xffkid\0id")
    OmniORBKey(poa=('pers', 'kid'), unique_id=None, object_id=b'id')
    >>> recognise(b"NameService"), recognise(b"\1\2")
    (PlainKey(name='NameService'), None)
    """
    key = bytes(key)
    take_apart = _BY_FIRST.get(key[:1])
    found = take_apart and take_apart(key)
    if found:
        return found
    for mark, product in _MARKS:
        if key.startswith(mark):
            return MarkedKey(product, mark, key[len(mark) :])
    return _jacorb(key) or (PlainKey(key.decode("ascii")) if _NAME.match(key) else None)


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")


def _omniorb(key: bytes) -> ObjectKey | None:
    """Take apart: names behind FF each, FE and a unique id if transient, 00, object id."""
    found = re.match(rb"((?:\xff[^\0\xfe\xff]*)*)(?:\xfe(.{8}))?\0", key, re.DOTALL)
    if found is None or not (found[1] or found[2]):
        return None
    return OmniORBKey(tuple(map(_text, found[1].split(b"\xff")[1:])), found[2], key[found.end() :])


def _tao(key: bytes) -> ObjectKey | None:
    """Take apart: 14 01 0F 00, three letters, the time if transient, the POA, the object id."""
    found = re.match(rb"\x14\x01\x0f\0([RN])([SU])([PT])", key)
    if found is None:
        return None
    root, system_id, persistent = found[1] == b"R", found[2] == b"S", found[3] == b"P"
    at = found.end()
    created = None
    if not persistent:
        created, at = key[at : at + 8], at + 8
        if len(key) < at:
            return None
    if persistent and not system_id:
        size, at = int.from_bytes(key[at : at + 4], "big"), at + 4
        poa = _tao_names(key[at : at + size])
        if len(key) < at + size or (poa is None and not root):
            return None
        return TAOKey(root, system_id, persistent, created, poa, key[at + size :])
    if root:
        return TAOKey(root, system_id, persistent, created, None, key[at:])
    return TAOKey(root, system_id, persistent, created, rest=key[at:])


def _tao_names(octets: bytes) -> tuple[str, ...] | None:
    """Return POA names, each ended by a NUL; 8 octets of a hint may stand before them."""
    for names in (octets, octets[8:]):
        if re.match(rb"(?:[ -~]+\0)+\Z", names):
            return tuple(map(_text, names[:-1].split(b"\0")))
    return None


def _orbacus(key: bytes) -> ObjectKey | None:
    """Take apart: AB AC AB, 0 or 1 and the time, server id and POA names, each ended by a NUL, a NUL, the object id."""
    found = re.match(rb"\xab\xac\xab(?:0|1(\d+)\0)([^\0]*)\0((?:[^\0]+\0)*)\0", key)
    if found is None:
        return None
    created = None if found[1] is None else _text(found[1])
    return ORBacusKey(created, _text(found[2]), tuple(map(_text, found[3].split(b"\0")[:-1])), key[found.end() :])


def _orbix(key: bytes) -> ObjectKey | None:
    r"""Take apart: `:\host:server:marker:IR host:IR server:interface`, and a NUL."""
    fields = _text(key).removesuffix("\0").split(":")
    if not key.startswith(b":\\") or len(fields) != 7:
        return None
    return OrbixKey(fields[1][1:], *fields[2:])


def _jacorb(key: bytes) -> ObjectKey | None:
    """Take apart: name of the server, of POAs, object id, between slashes; `&%` is a slash and `&&` an ampersand inside them."""
    *names, object_id = key.split(b"/")
    if not names or not object_id or not all(re.match(rb"[ -~]+\Z", name) for name in names):
        return None
    shown = [_text(_unmask(name)) for name in names]
    return JacORBKey(shown[0], tuple(shown[1:]), _unmask(object_id))


def _unmask(octets: bytes) -> bytes:
    return re.sub(rb"&([%&])", lambda found: b"/" if found[1] == b"%" else b"&", octets)


# --- those that are CDR, big endian, with no octet for the byte order ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class _JDKStart:
    """Declare what all keys of Sun's ORB begin with."""

    magic: Annotated[int, ULong]
    subcontract_id: Annotated[int, Long]
    server_id: Annotated[int, Long]


@dataclass(frozen=True, slots=True)
class _JDKPOA(_JDKStart):
    """Declare a POA key since JDK 1.4."""

    orb_id: str
    poa: tuple[str, ...]
    object_id: bytes
    version: Annotated[int, Octet]


@dataclass(frozen=True, slots=True)
class _JDK(_JDKStart):
    """Declare a key without POA since JDK 1.4."""

    object_id: bytes
    version: Annotated[int, Octet]


@dataclass(frozen=True, slots=True)
class _OldJDKPOA(_JDKStart):
    """Declare a POA key before JDK 1.4."""

    orb_id: Annotated[int, Long]
    poa: Annotated[int, Long]
    object_id: bytes


@dataclass(frozen=True, slots=True)
class _OldJDK(_JDKStart):
    """Declare a key without POA before JDK 1.4."""

    object_id: bytes


@dataclass(frozen=True, slots=True)
class _VisiBroker:
    """Declare a POA key of VisiBroker 4; `kind` is 4 in all that were seen."""

    mark: Annotated[bytes, OctetArray(4)]
    kind: Annotated[int, ULong]
    poa: str
    object_id: bytes


_OLD, _NEW, _NEWER = 0xAFABCAFE, 0xAFABCAFF, 0xAFABCB00
_ORIGINS = {_OLD: "before JDK 1.3.1", _NEW: "JDK 1.3.1", _NEWER: "JDK 1.4, J2EE 1.3 and later"}
_POAS = range(32, 64)
_PERSISTENT = 2


def _read(layout: Codec, key: bytes) -> Any:
    """Return the value, None if the octets are no such thing."""
    try:
        return layout.decode(key)
    except DecodeError:
        return None


def _jdk(key: bytes) -> ObjectKey | None:
    if len(key) < 12:
        return None
    start = codec(_JDKStart).decode(key, exact=False)
    if start.magic not in _ORIGINS:
        return None
    poa = start.subcontract_id in _POAS
    if start.magic == _NEWER:
        found = _read(codec(_JDKPOA if poa else _JDK), key)
    else:
        found = _read(codec(_OldJDKPOA if poa else _OldJDK), key)
        if found is None and start.magic == _NEW and not poa:
            found = _read(codec(_JDK), key)  # JDK 1.3.1_01 adds its patch level
    if found is None:
        return None
    values = {member.name: getattr(found, member.name) for member in dataclasses.fields(found) if member.name != "magic"}
    return JDKKey(_ORIGINS[start.magic], persistent=bool(start.subcontract_id & _PERSISTENT) if poa else None, **values)


def _visibroker(key: bytes) -> ObjectKey | None:
    if not key.startswith(b"\0PMC\0\0\0\4"):
        return None
    found = _read(codec(_VisiBroker), key)
    if found is None or not found.poa.startswith("/"):
        return None
    return VisiBrokerKey(tuple(found.poa[1:].split("/")) if found.poa != "/" else (), found.object_id)


_BY_FIRST: dict[bytes, Callable[[bytes], ObjectKey | None]] = {
    b"\xff": _omniorb,
    b"\xfe": _omniorb,
    b"\x14": _tao,
    b"\xaf": _jdk,
    b"\xab": _orbacus,
    b":": _orbix,
    b"\0": _visibroker,
}
"""What may take a key apart, by the first octet of the mark that it begins with."""
