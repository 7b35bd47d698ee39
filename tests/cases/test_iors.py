"""Every class of IOR: text, what is read of it, and that it comes back octet for octet; or why it is none."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from iiop.cdr import ByteOrder
from iiop.components.ssl import SSLVisiBroker
from iiop.exceptions.errors import DecodeError, LimitExceeded, ReferenceFormatError, TruncatedError
from iiop.profile import ORBType
from ior import IOR, IIOPProfile

# A reference in pieces, big endian: `IDL:a:1.0`, and an IIOP profile of host `h`, port 8002, key `k`.
BYTE_ORDER = "00 000000"
TYPE_ID = "0000000a 49444c3a613a312e3000 0000"
NO_TYPE_ID = "00000001 00 000000"
ONE, TWO = "00000001", "00000002"
IIOP = "00000000"
ADDRESS = "00000002 6800 1f42 00000001 6b"
BODY_1_0 = f"00 010000 {ADDRESS}"
BODY_1_2 = f"00 010200 {ADDRESS} 000000"
NO_COMPONENTS = "00000000"
ORB_TYPE = "00000000 00000008 00 000000 54414f00"


def sized(octets: str) -> str:
    """Return octets behind their length."""
    return f"{len(bytes.fromhex(octets)):08x}{octets}"


def ior(*parts: str) -> str:
    return "IOR:" + "".join(parts).replace(" ", "")


SOUND = ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized(BODY_1_0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """State text, and what it is.

    Attributes:
        name: layer and class of the checklist, then in brackets what sets this sample apart.
        endpoints: every address, as text.
        problems: paths and offsets of what is broken inside.
        white_space: whether there is some around, which alone does not come back.
    """

    name: str
    given: str
    endpoints: tuple[str, ...] = ("h:8002",)
    problems: tuple[tuple[str, int], ...] = ()
    white_space: bool = False


READ = [
    Case(name="IOR/upper/lower case", given="ior:" + SOUND[4:].upper()),
    Case(name="IOR/whitespace/newline", given=f"  {SOUND}\r\n", white_space=True),
    Case(name="IOR/zero profiles (nil)", given=ior(BYTE_ORDER, NO_TYPE_ID, "00000000"), endpoints=()),
    Case(
        name="IOR/unknown profiles",
        given=ior(BYTE_ORDER, TYPE_ID, TWO, "56495301", sized("deadbeef"), IIOP, sized(BODY_1_0)),
    ),
    *[
        Case(
            name=f"IOR/non-zero padding ({octet} {who})",
            given=ior(f"00 {octet * 3}", f"0000000a 49444c3a613a312e3000 {octet * 2}", ONE, IIOP, sized(BODY_1_0)),
        )
        for octet, who in {"20": "VisiBroker", "bd": "WebSphere z/OS", "cd": "TAO built with MSVC"}.items()
    ],
    Case(
        name="IOR/1.0 with component list (ORBit2 writes it empty behind padding)",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized(BODY_1_0 + "000000" + NO_COMPONENTS)),
    ),
    Case(
        name="IOR/mixed byte order",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized("01 010000 02000000 6800 421f 01000000 6b")),
    ),
    Case(
        name="IOR/port 0",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized("00 010000 00000002 6800 0000 00000001 6b")),
        endpoints=(),
    ),
    Case(
        name="IOR/empty host",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized("00 010000 00000001 00 00 1f42 00000001 6b")),
        endpoints=(":8002",),
    ),
    Case(
        name="IOR/duplicated single-instance tags",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized(BODY_1_2 + TWO + ORB_TYPE * 2)),
    ),
    Case(
        name="IOR/12-octet SSL component",
        given=ior(
            BYTE_ORDER,
            TYPE_ID,
            ONE,
            IIOP,
            sized(f"{BODY_1_2} {ONE} 00000014 0000000e 00 000000 00000006 00000046 1f90"),
        ),
        endpoints=("h:8080 (TLS)",),
    ),
    Case(
        name="IOR/component length beyond the profile",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized(f"{BODY_1_2} {ONE} 00000000 000000ff 00 000000 54414f00")),
        endpoints=(),
        problems=(("profiles[0].components[0].component_data", 64),),
    ),
    Case(
        name="IOR/inner length close to 2**31",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, sized("00 010000 7fffffff 6800")),
        endpoints=(),
        problems=(("profiles[0].host", 40),),
    ),
]


@pytest.mark.parametrize("case", READ, ids=lambda case: case.name)
def test_read(case: Case) -> None:
    read = IOR.from_string(case.given)
    assert str(read) == (case.given.strip() if case.white_space else case.given)
    assert read.to_octets() == bytes.fromhex(case.given.strip()[4:])
    assert tuple([str(endpoint) for endpoint in read.endpoints()]) == case.endpoints
    assert tuple([(error.path, error.offset) for error in read.problems()]) == case.problems
    anew = IOR(read.type_id, read.profiles)
    assert IOR.from_string(str(anew)) == read, "written anew, with its own padding, it says the same"


def by_name(name: str) -> IOR:
    (given,) = [case.given for case in READ if case.name.startswith(f"IOR/{name}")]
    return IOR.from_string(given)


def test_what_else_is_read() -> None:
    """Of a reference that is odd but sound: nil is nil, each profile has its byte order, each component is typed."""
    assert by_name("zero profiles").is_nil
    unknown, known = by_name("unknown profiles").profiles
    assert (unknown.tag, unknown.profile_data) == (0x56495301, bytes.fromhex("deadbeef"))
    assert known.host == "h"
    mixed = by_name("mixed byte order")
    assert isinstance(mixed.profiles[0], IIOPProfile)
    assert (mixed.byte_order, mixed.profiles[0].byte_order) == (ByteOrder.BIG, ByteOrder.LITTLE)
    assert by_name("1.0 with").profiles[0].components == ()
    assert [part.value for part in by_name("duplicated").profiles[0].components] == [ORBType(0x54414F00)] * 2
    assert [part.value for part in by_name("12-octet").profiles[0].components] == [SSLVisiBroker(6, 0x46, 8080)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCase:
    """State text that is no reference: the error, and the position in the text, or path and offset in the octets."""

    name: str
    given: str
    error: type[Exception]
    at: int | tuple[str, int]


REFUSED = [
    RefusedCase(name="IOR/odd hex", given=SOUND[:-1], error=ReferenceFormatError, at=len(SOUND) - 1),
    RefusedCase(name="IOR/whitespace/newline (inside)", given=SOUND[:20] + "\n" + SOUND[20:], error=ReferenceFormatError, at=20),
    RefusedCase(name="IOR/short", given=SOUND[:-2], error=TruncatedError, at=("profiles[0].profile_data", 32)),
    RefusedCase(name="IOR/short (one octet)", given="IOR:00", error=TruncatedError, at=("type_id.length", 4)),
    RefusedCase(name="IOR/byte-order octet above 1", given="IOR:02" + SOUND[6:], error=DecodeError, at=("byte_order", 0)),
    RefusedCase(
        name="IOR/inner length close to 2**31 (of the profile)",
        given=ior(BYTE_ORDER, TYPE_ID, ONE, IIOP, "7fffffff"),
        error=LimitExceeded,
        at=("profiles[0].profile_data", 32),
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: RefusedCase) -> None:
    with pytest.raises(case.error) as caught:
        IOR.from_string(case.given)
    assert type(caught.value) is case.error
    if isinstance(caught.value, ReferenceFormatError):
        assert caught.value.position == case.at
    else:
        assert isinstance(caught.value, DecodeError)
        assert (caught.value.path, caught.value.offset) == case.at


CASES = [*READ, *REFUSED]
