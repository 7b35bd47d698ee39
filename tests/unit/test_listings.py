"""The listings of Interstage's commands: the samples of the manual octet for octet, and what nobody printed there."""

from __future__ import annotations

import pytest

from iiop.profile import Version
from ior import IOR, IORBuilder
from naming.listings import (
    PAGE_WIDTH,
    Difference,
    ListedAddress,
    ListedBinding,
    ListedInformation,
    ListedService,
    ListingError,
    differences,
    format_bindings,
    format_initial_services,
    parse_bindings,
    parse_initial_services,
)
from naming.types import NAMING_CONTEXT_EXT_ID, NAMING_CONTEXT_ID, BindingType

# High Availability System Guide B1WS-1092-03ENZ0, 4.5.6.3; the host stands for "Inherited IP address".
INITIAL_SERVICES = """\
ImplementationRepository      IDL:FJ/ImplementationRep:1.0   (<host>:8002:1.0:)
FJ_LightInterfaceRepository   IDL:FJ/Repository:1.0          (<host>:8002:1.0:)
FJ_ORB_admin                  IDL:OM_ORB/admin:1.0           (<host>:8002:1.0:)
nill_oref
InterfaceRep                  IDL:CORBA/InterfaceRep:1.0     (<host>:8002:1.0:)
InterfaceRepLock              IDL:CORBA/IrOBF/backup:1.0     (<host>:8002:1.0:)
InterfaceRepository           IDL:CORBA/Repository:1.0       (<host>:8002:1.0:)
NameService                   IDL:CosNaming/NamingContextExt:1.0
                              (<host>:8002:1.0:)
FJ_LoadBalancingOption        IDL:ISOD/LBO:1.0               (<host>:8002:1.0:)
InterfaceRep_e                IDL:CORBA/InterfaceRep:1.0     (<host>:8002:1.0:)
InterfaceRepository_e         IDL:CORBA/Repository:1.0       (<host>:8002:1.0:)
"""
ADDRESS = ListedAddress("<host>", 8002, Version(1, 0))
SERVICES = (
    ListedService("ImplementationRepository", "IDL:FJ/ImplementationRep:1.0", ADDRESS),
    ListedService("FJ_LightInterfaceRepository", "IDL:FJ/Repository:1.0", ADDRESS),
    ListedService("FJ_ORB_admin", "IDL:OM_ORB/admin:1.0", ADDRESS),
    ListedService("", "", None),
    ListedService("InterfaceRep", "IDL:CORBA/InterfaceRep:1.0", ADDRESS),
    ListedService("InterfaceRepLock", "IDL:CORBA/IrOBF/backup:1.0", ADDRESS),
    ListedService("InterfaceRepository", "IDL:CORBA/Repository:1.0", ADDRESS),
    ListedService("NameService", "IDL:CosNaming/NamingContextExt:1.0", ADDRESS),
    ListedService("FJ_LoadBalancingOption", "IDL:ISOD/LBO:1.0", ADDRESS),
    ListedService("InterfaceRep_e", "IDL:CORBA/InterfaceRep:1.0", ADDRESS),
    ListedService("InterfaceRepository_e", "IDL:CORBA/Repository:1.0", ADDRESS),
)

# The same, 3.2.2.2.
BINDINGS = """\
Name(Type)  Object information(detail)
            Default object information(detail)
NC001(c)    IDL:CosNaming/NamingContextExt:1.0, IDL:CosNaming/NamingContext:1.0, (vhost:
8002:1.0:), context.1225331880.0
"""


def reference(type_id: str, key: bytes, host: str = "vhost", port: int = 8002) -> IOR:
    return IORBuilder(type_id).iiop(host, port, key=key, version=(1, 0)).build()


CONTEXT = reference(NAMING_CONTEXT_EXT_ID, b"context.1225331880.0")
TDTEST = reference("IDL:TDsample/tdtest:1.0", b"FUJITSU-Interstage-TDLC|IDL:TDsample/tdtest:1.0")
NIL = IOR("", ())
FOREIGN = IOR.from_string("IOR:000000000000000c49444c3a7833783a312e30000000000100000063000000020001")
"""Of a protocol that is not IIOP."""


def listed(name: str, bound: IOR) -> ListedBinding:
    kind = BindingType.ncontext if "NamingContext" in bound.type_id else BindingType.nobject
    return ListedBinding.of(name, kind, bound)


# --- initial services -------------------------------------------------------------------------------------------------


def test_initial_services_as_the_manual_shows_them() -> None:
    assert format_initial_services(SERVICES) == INITIAL_SERVICES
    assert parse_initial_services(INITIAL_SERVICES) == SERVICES


def test_initial_services_as_the_page_of_the_manual_spaces_them() -> None:
    """The columns there are those of a typesetter."""
    text = INITIAL_SERVICES.replace(" (", "    (").replace("FJ_LightInterfaceRepository   ", "FJ_LightInterfaceRepository  ")
    assert parse_initial_services(text) == SERVICES


def test_initial_services_from_references() -> None:
    rows = [
        ListedService.of("NameService", reference(NAMING_CONTEXT_EXT_ID, b"NameService", "<host>")),
        ListedService.of("FJ_ORB_admin", reference("IDL:OM_ORB/admin:1.0", b"x", "<host>")),
        ListedService.of("Nothing", NIL),
    ]
    assert set(format_initial_services(rows).splitlines()) < set(INITIAL_SERVICES.splitlines())


@pytest.mark.parametrize("length", [29, 30, 31, 60])
def test_initial_services_with_names_and_ids_longer_than_their_columns(length: int) -> None:
    row = ListedService("N" * length, f"IDL:{'x' * (length - 8)}:1.0", ADDRESS)
    text = format_initial_services([row])
    assert text.count("\n") == (1 if length <= 30 else 2)
    assert parse_initial_services(text) == (row,)


def test_an_initial_service_without_an_iiop_address() -> None:
    row = ListedService.of("Odd", FOREIGN)
    assert row == ListedService("Odd", "IDL:x3x:1.0", None)
    assert parse_initial_services(format_initial_services([row])) == (row,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("NameService", 1),
        ("nill_oref\nNameService IDL:CosNaming/NamingContextExt:1.0\n", 2),
        ("a IDL:b:1.0 (c:1:1.0:) d\n", 1),
        ("a IDL:b:1.0\n  c\n", 2),
        ("a IDL:b:1.0 (c:1:1:)\n", 1),
        ("a IDL:b:1.0 (c:port:1.0:)\n", 1),
    ],
)
def test_what_is_no_listing_of_initial_services(text: str, line: int) -> None:
    with pytest.raises(ListingError) as caught:
        parse_initial_services(text)
    assert caught.value.line == line
    assert str(caught.value) == f"line {line}: {caught.value.reason}"


# --- bindings ---------------------------------------------------------------------------------------------------------


def test_bindings_as_the_manual_shows_them() -> None:
    row = listed("NC001", CONTEXT)
    assert format_bindings([row], PAGE_WIDTH) == format_bindings([row]) == BINDINGS
    assert parse_bindings(BINDINGS) == (row,)


def test_bindings_in_a_line_each() -> None:
    (*_, line) = format_bindings([listed("NC001", CONTEXT)], None).splitlines()
    assert line == (
        "NC001(c)    IDL:CosNaming/NamingContextExt:1.0, IDL:CosNaming/NamingContext:1.0, (vhost:8002:1.0:), context.1225331880.0"
    )


def test_an_object_shows_its_key() -> None:
    (*_, line) = format_bindings([listed("TDsample::tdtest", TDTEST)], None).splitlines()
    key = "FUJITSU-Interstage-TDLC%7cIDL:TDsample/tdtest:1.0"
    assert line == f"TDsample::tdtest(o) IDL:TDsample/tdtest:1.0, (vhost:8002:1.0:), {key}"


def test_ids_of_the_omg_are_shown_without_its_prefix() -> None:
    channel = "IDL:omg.org/CosNotifyChannelAdmin/EventChannel:1.0"
    assert listed("g::c", reference(channel, b"k")).information.repository_ids == ("IDL:CosNotifyChannelAdmin/EventChannel:1.0",)
    assert listed("c", reference(NAMING_CONTEXT_ID, b"k")).information.repository_ids == ("IDL:CosNaming/NamingContext:1.0",)


def test_references_that_say_no_type() -> None:
    untyped = reference("", b"k")
    assert ListedBinding.of("x", BindingType.nobject, untyped).information.repository_ids == ("IDL:CORBA/Object:1.0",)
    assert ListedBinding.of("x", BindingType.ncontext, untyped).information.repository_ids == ("IDL:CosNaming/NamingContext:1.0",)


def test_a_nil_reference() -> None:
    row = listed("nothing", NIL)
    text = format_bindings([row])
    assert text.endswith("nothing(o)  nill_oref\n")
    assert parse_bindings(text) == (row,)


def test_a_reference_without_an_iiop_address() -> None:
    row = listed("x", FOREIGN)
    assert row.information == ListedInformation(("IDL:x3x:1.0",), None)
    text = format_bindings([row])
    assert text.endswith("x(o)        IDL:x3x:1.0, ()\n")
    assert parse_bindings(text) == (row,)


def test_a_group_has_a_line_for_its_default_object() -> None:
    information = listed("x", TDTEST).information
    rows = (ListedBinding("LB", "g", information, information), listed("NC001", CONTEXT))
    text = format_bindings(rows)
    assert text.splitlines()[4].startswith(" " * 12 + "IDL:TDsample/tdtest:1.0, (vhost:")
    assert parse_bindings(text) == rows


@pytest.mark.parametrize("width", [None, 1, 20, 40, 80, PAGE_WIDTH, 200])
def test_wrapping_loses_nothing(width: int | None) -> None:
    rows = (
        listed("NC001", CONTEXT),
        listed("a b", TDTEST),
        listed("NC001/TDsample::tdtest.kind", TDTEST),
        listed("\u53e3\u5ea7", reference("IDL:x,y:1.0", b"a,b: (c) d,", "fe80::1")),
    )
    text = format_bindings(rows, width)
    assert parse_bindings(text) == rows
    assert parse_bindings(text.split("\n", 2)[2]) == rows, "without headings"
    if width and width >= 40:
        assert max(map(len, text.splitlines()[2:])) <= width


def test_what_a_peer_chose_cannot_forge_a_row() -> None:
    forged = "x\nNC001(c)    IDL:evil:1.0, (evil:1:1.0:), context.1.0\x1b[2J"
    row = listed(forged, reference(forged, forged.encode(), "h, (evil"))
    text = format_bindings([row], None)
    assert len(text.splitlines()) == 3
    assert text.replace("\n", "").isprintable()
    assert parse_bindings(text) == (row,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("IOR:0000\n", 1),
        ("\n            IDL:x:1.0, (h:1:1.0:)\n", 2),
        ("x(o) IDL:x:1.0, (h:1:1.0:)\n  IDL:x:1.0, (h:1:1.0:)\n  IDL:x:1.0, (h:1:1.0:)\n", 3),
        ("x(o) IDL:x:1.0\n", 1),
        ("x(o) (h:1:1.0:), key\n", 1),
        ("x(o) IDL:x:1.0, (h:1:1.0:), key, more\n", 1),
        ("x(o) IDL:x:1.0, (h:1:1.0), key\n", 1),
        ("x(o) IDL:x:1.0, (h:1:1.0:)\ny(o) IDL:y:1.0\nz\n", 2),
    ],
)
def test_what_is_no_listing_of_bindings(text: str, line: int) -> None:
    with pytest.raises(ListingError) as caught:
        parse_bindings(text)
    assert caught.value.line == line


# --- two of them ------------------------------------------------------------------------------------------------------


def test_the_same_listing_wrapped_otherwise_and_in_another_order() -> None:
    rows = (listed("NC001", CONTEXT), listed("x", TDTEST))
    assert differences(rows, parse_bindings(format_bindings(rows[::-1], 30))) == ()


def test_differences_are_told_by_name() -> None:
    moved = reference("IDL:TDsample/tdtest:1.0", b"k", "host2")
    one = (listed("b", TDTEST), listed("a", CONTEXT))
    other = (listed("b", moved), listed("c", TDTEST))
    assert differences(one, other) == (
        Difference("a", one[1], None),
        Difference("b", one[0], other[0]),
        Difference("c", None, other[1]),
    )
