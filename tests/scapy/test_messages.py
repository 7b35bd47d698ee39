"""Every message of every version as layers: the same octets as our codecs make, the same values, and what no codec would make."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import scapy.all
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.config import conf
from scapy.fields import RawVal
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Padding, Raw, fuzz

import iiop.giop.messages
import iiop_scapy
import ior
import naming.types
from iiop import iop
from iiop.cdr import ByteOrder, Char, Codec, Long, OctetArray, Short, codec
from iiop.cdr.speech import PLAIN
from iiop.cdr.wide import WChar, WString
from iiop.exceptions import OBJECT_NOT_EXIST, CompletionStatus, DecodeError, EncodeError
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    CancelRequest,
    CloseConnection,
    IORAddressingInfo,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    MessageError,
    MessageType,
    Reply,
    ReplyStatus,
    Request,
    TargetAddress,
    exception_body,
    key_address,
)
from iiop.giop.wire import decode, encode
from iiop.idl import Interface, operation
from iiop.iop import IOR_CODEC, ServiceContext, ServiceId, TaggedProfile
from iiop.profile import CodeSetContext, ORBType, ProfileBody, Version, encode_profile
from iiop_fuzz import strategies as iiop_st
from iiop_scapy import (
    GIOP,
    IOR,
    AddressingDisposition,
    CancelRequestHeader,
    FragmentHeader_1_2,
    LocateReplyHeader,
    LocateRequestHeader_1_0,
    LocateRequestHeader_1_2,
    NameComponent,
    NamingContextExt,
    ReplyHeader_1_0,
    ReplyHeader_1_2,
    RequestHeader_1_0,
    RequestHeader_1_1,
    RequestHeader_1_2,
    SystemExceptionReplyBody,
    TaggedComponent,
    bind_interface,
    layer_of,
    packet_of,
)
from iiop_scapy import ServiceContext as ServiceContextLayer
from iiop_scapy import TaggedProfile as TaggedProfileLayer
from iiop_scapy import TargetAddress as TargetAddressLayer
from naming.interfaces import BindingIterator as BindingIteratorInterface
from naming.interfaces import NamingContextExt as NamingContextExtInterface
from naming.types import Name, NotFound, NotFoundReason
from naming.types import NameComponent as WireNameComponent
from tests.scapy.stream_of import VECTORS

IORS = Path(__file__).parents[1] / "vectors" / "iors.jsonl"
KEY = key_address(b"NameService")
SOME = iop.IOR("IDL:a/B:1.0", (TaggedProfile(0, b"\0\1\2\0"),))
CONTEXTS = (ServiceContext(1, bytes.fromhex("010000000100010009010100")), ServiceContext(0x4E454F00, b"abc"))


@pytest.fixture(autouse=True)
def errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scapy hides a dissector's exceptions unless it is told not to."""
    monkeypatch.setattr(conf, "debug_dissector", 1)


def rebuilt(packet: Packet) -> bytes:
    """Return what a packet is built to from its fields alone, sizes filled in."""
    packet = packet.copy()
    packet.clear_cache()
    packet.message_size = None
    return bytes(packet)


# --- there and back ---------------------------------------------------------------------------------------------------


@given(iiop_st.messages())
def test_octets_are_those_of_our_codecs(message: Message) -> None:
    octets = encode(message)
    packet = GIOP(octets)
    assert bytes(packet) == octets
    assert rebuilt(packet) == octets
    assert Padding not in packet
    assert "malformed" not in packet.summary()
    assert GIOP(octets) == packet.copy()


@given(iiop_st.messages())
def test_headers_say_what_messages_do(message: Message) -> None:
    packet = GIOP(encode(message))
    for name in ("request_id", "operation", "reply_status", "locate_status", "requesting_principal"):
        if hasattr(message, name) and name in packet.payload.default_fields:
            assert getattr(packet, name) == getattr(message, name)
    if isinstance(message, Request | Reply):
        assert tuple(context.cdr_value() for context in packet.service_context) == message.service_context
    if isinstance(message, Request | LocateRequest):
        if message.version == GIOP_1_2:
            assert packet.target.cdr_value() == message.target
        else:
            assert packet.object_key == message.target.value


@given(iiop_st.fragmented())
def test_pieces(fragmented: tuple[Message, tuple[bytes, ...]]) -> None:
    message, parts = fragmented
    for octets in parts:
        packet = GIOP(octets)
        assert bytes(packet) == octets
        assert rebuilt(packet) == octets
        if octets[7] == MessageType.Fragment and message.version == GIOP_1_2:
            assert isinstance(packet.payload, FragmentHeader_1_2)
            assert packet.cdr_request_id == getattr(message, "request_id", None)


CALLS = [
    (declared, name)
    for declared in (NamingContextExtInterface, BindingIteratorInterface)
    for name in declared.operations()
    if not name.startswith("_")
]


@pytest.mark.parametrize(("declared", "name"), CALLS, ids=[f"{declared.__name__}.{name}" for declared, name in CALLS])
@settings(max_examples=25)
@given(data=st.data())
def test_calls_of_cosnaming(declared: type[Interface], name: str, data: st.DataObject) -> None:
    called = declared.operations()[name]
    version, order = data.draw(iiop_st.versions()), data.draw(iiop_st.byte_orders())
    arguments = data.draw(iiop_st.cdr_values(called.arguments.type))
    octets = encode(Request(3, name, KEY, body=Body.of(called.arguments, arguments), version=version, byte_order=order))
    request = GIOP(octets)
    assert Raw not in request
    assert rebuilt(request) == octets
    if arguments:
        assert request.lastlayer().cdr_value() == arguments

    results = data.draw(iiop_st.cdr_values(called.results.type))
    octets = encode(Reply(3, body=Body.of(called.results, results), version=version, byte_order=order))
    reply = GIOP(octets)
    reply.dissect_answer(request)
    assert Raw not in reply
    assert rebuilt(reply) == octets
    if results:
        assert reply.lastlayer().cdr_value() == results


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("version", [GIOP_1_0, GIOP_1_1, GIOP_1_2])
@pytest.mark.parametrize("omg_prefix", [True, False])
def test_user_exceptions(version: Version, order: ByteOrder, omg_prefix: bool) -> None:
    resolve = NamingContextExtInterface.operations()["resolve"]
    raised = NotFound(NotFoundReason.not_context, ())
    body = resolve.exception_body(raised, PLAIN, omg_prefix=omg_prefix)
    octets = encode(Reply(3, ReplyStatus.USER_EXCEPTION, body=body, version=version, byte_order=order))
    packet = GIOP(octets)
    assert packet.lastlayer().members.why == NotFoundReason.not_context
    assert rebuilt(packet) == octets


# --- crafted ----------------------------------------------------------------------------------------------------------


def octets_body(octets: bytes) -> Body:
    return Body.of(Codec(OctetArray(len(octets))), octets)


def body(declared: Any, value: Any) -> Body:
    return Body.of(codec(declared), value)


FULL = TargetAddress(2, IORAddressingInfo(0, SOME))
GONE = OBJECT_NOT_EXIST(0x4F4D0002, CompletionStatus.COMPLETED_NO)
SYSTEM = {"exception_id": GONE.repository_id, "minor_code_value": GONE.minor, "completion_status": 1}
CRAFTED: dict[str, tuple[Callable[[], Packet], Message]] = {
    "request 1.0": (
        lambda: RequestHeader_1_0(request_id=5, object_key=b"k", operation="f", service_context=CONTEXTS) / b"body",
        Request(5, "f", key_address(b"k"), service_context=CONTEXTS, body=octets_body(b"body"), version=GIOP_1_0),
    ),
    "request 1.1": (
        lambda: GIOP(minor=1) / RequestHeader_1_1(request_id=5, object_key="k", operation="f", requesting_principal=b"me"),
        Request(5, "f", key_address(b"k"), requesting_principal=b"me", version=GIOP_1_1),
    ),
    "request": (
        lambda: RequestHeader_1_2(request_id=5, target=KEY, operation=b"f", response_flags=0) / b"body",
        Request(5, "f", KEY, 0, body=octets_body(b"body")),
    ),
    "request of a profile": (
        lambda: RequestHeader_1_2(operation="f", target=TargetAddressLayer(discriminator=1, value=SOME.profiles[0])),
        Request(0, "f", TargetAddress(1, SOME.profiles[0])),
    ),
    "request of a reference": (lambda: RequestHeader_1_2(operation="f", target=FULL), Request(0, "f", FULL)),
    "resolve": (
        lambda: RequestHeader_1_2(target=KEY) / NamingContextExt["resolve"].arguments(n=[NameComponent(id="a", kind="b")]),
        Request(0, "resolve", KEY, body=body(Name, (WireNameComponent("a", "b"),))),
    ),
    "reply 1.0": (lambda: ReplyHeader_1_0(request_id=5) / b"body", Reply(5, body=octets_body(b"body"), version=GIOP_1_0)),
    "reply": (
        lambda: ReplyHeader_1_2(request_id=5, service_context=[ServiceContextLayer(context_id=9, context_data=b"abc")]) / b"body",
        Reply(5, service_context=(ServiceContext(9, b"abc"),), body=octets_body(b"body")),
    ),
    "forward": (lambda: ReplyHeader_1_2() / packet_of(SOME), Reply(0, ReplyStatus.LOCATION_FORWARD, body=body(iop.IOR, SOME))),
    "system exception": (
        lambda: ReplyHeader_1_2() / SystemExceptionReplyBody(**SYSTEM),
        Reply(0, ReplyStatus.SYSTEM_EXCEPTION, body=exception_body(GONE)),
    ),
    "addressing": (
        lambda: ReplyHeader_1_2() / AddressingDisposition(disposition=2),
        Reply(0, ReplyStatus.NEEDS_ADDRESSING_MODE, body=body(Annotated[int, Short], 2)),
    ),
    "cancel": (lambda: CancelRequestHeader(request_id=5), CancelRequest(5)),
    "locate 1.0": (
        lambda: LocateRequestHeader_1_0(request_id=5, object_key=b"k"),
        LocateRequest(5, key_address(b"k"), GIOP_1_0),
    ),
    "locate": (lambda: LocateRequestHeader_1_2(request_id=5, target=KEY), LocateRequest(5, KEY)),
    "located": (
        lambda: LocateReplyHeader(request_id=5, locate_status="OBJECT_HERE"),
        LocateReply(5, LocateStatus.OBJECT_HERE),
    ),
    "located elsewhere": (
        lambda: LocateReplyHeader(request_id=5) / packet_of(SOME),
        LocateReply(5, LocateStatus.OBJECT_FORWARD, body=body(iop.IOR, SOME)),
    ),
    "not located": (
        lambda: LocateReplyHeader(locate_status="LOC_SYSTEM_EXCEPTION") / SystemExceptionReplyBody(**SYSTEM),
        LocateReply(0, LocateStatus.LOC_SYSTEM_EXCEPTION, body=exception_body(GONE)),
    ),
    "located if": (
        lambda: LocateReplyHeader() / AddressingDisposition(disposition=2),
        LocateReply(0, LocateStatus.LOC_NEEDS_ADDRESSING_MODE, body=body(Annotated[int, Short], 2)),
    ),
    "close": (lambda: GIOP(message_type="CloseConnection"), CloseConnection()),
    "error": (lambda: GIOP(message_type="MessageError"), MessageError()),
}


NAMES = {**vars(scapy.all), **vars(iiop.giop.messages), **vars(naming.types), **vars(iiop_scapy)}
"""What `command` may write: layers, and structures that are members of one."""


@pytest.mark.parametrize("order", ByteOrder)
@pytest.mark.parametrize("name", CRAFTED)
def test_crafted(name: str, order: ByteOrder) -> None:
    """Versions, types, operations and statuses follow from the layers, sizes and padding from what is in them."""
    make, message = CRAFTED[name]
    made = make()
    packet = made if isinstance(made, GIOP) else GIOP() / made
    packet.flags = int(order)
    octets = encode(dataclasses.replace(message, byte_order=order))
    assert bytes(packet) == octets
    assert bytes(GIOP(octets)) == octets
    assert GIOP(octets).lastlayer().name == packet.lastlayer().name
    assert bytes(eval(packet.command(), NAMES)) == octets


@pytest.mark.parametrize("name", [name for name in VECTORS if name.endswith("-reply")])
def test_what_command_writes_makes_the_message_again(name: str) -> None:
    request, reply = GIOP(VECTORS[name.replace("-reply", "-request")]), GIOP(VECTORS[name])
    reply.dissect_answer(request)
    for packet in (request, reply):
        made = eval(packet.command(), NAMES)
        assert bytes(made) == rebuilt(packet)
        assert [type(layer) for layer in made.iterpayloads()] == [type(layer) for layer in packet.iterpayloads()]


def test_a_fragment() -> None:
    built = bytes(GIOP() / FragmentHeader_1_2(request_id=7) / b"data")
    assert built == b"GIOP\x01\x02\x01\x07\x08\0\0\0\x07\0\0\0data"
    assert GIOP(built)[FragmentHeader_1_2].request_id == 7


def test_the_order_changes_everything_behind() -> None:
    octets = {order: encode(Request(5, "f", KEY, service_context=CONTEXTS, byte_order=order)) for order in ByteOrder}
    packet = GIOP(octets[ByteOrder.LITTLE])
    packet.flags = 0
    assert bytes(packet) == octets[ByteOrder.BIG]


def test_a_change_deep_inside_is_built() -> None:
    octets = encode(Request(5, "f", KEY, service_context=CONTEXTS))
    packet = GIOP(octets)
    packet.target.value = b"another key"
    packet.service_context[1].context_data = b"longer than before"
    packet.message_size = None
    message = decode(bytes(packet))
    assert isinstance(message, Request)
    assert message.object_key == b"another key"
    assert message.service_context[1].context_data == b"longer than before"


def test_another_operation_moves_the_body() -> None:
    packet = GIOP() / RequestHeader_1_2(target=KEY) / NamingContextExt["resolve"].arguments(n=[NameComponent(id="a")])
    packet.operation = "another name"
    message = decode(bytes(packet))
    assert isinstance(message, Request)
    assert message.body.decode(NamingContextExtInterface.operations()["resolve"].arguments) == ((WireNameComponent("a"),),)


# --- what no ORB would send -------------------------------------------------------------------------------------------


def test_raw_values() -> None:
    """A `RawVal` stands for the member with its padding, as scapy has it, and what follows is aligned behind it."""
    packet = GIOP() / RequestHeader_1_2(request_id=1, target=KEY, operation=RawVal(b"\xff\xff\xff\xffresolve\0"))
    octets = bytes(packet)
    regular = encode(Request(1, "resolve", KEY))
    assert octets[:8] + octets[12:39] == regular[:8] + regular[12:39]
    assert octets[39:51] == b"\xff\xff\xff\xffresolve\0"
    assert int.from_bytes(octets[8:12], "little") == len(octets) - 12
    assert Raw in GIOP(octets)
    with pytest.raises(DecodeError, match="operation"):
        decode(octets)


def test_a_raw_arm_of_a_union() -> None:
    target = TargetAddressLayer(discriminator=77, value=RawVal(b"\0\0"))
    assert bytes(target) == b"\0\x4d\0\0"
    assert bytes(TargetAddressLayer(discriminator=RawVal(b"\0\1"), value=RawVal(b"x"))) == b"\0\1x"
    with pytest.raises(EncodeError, match="discriminator"):
        bytes(TargetAddressLayer(discriminator=77))
    with pytest.raises(EncodeError, match="value"):
        bytes(TargetAddressLayer(discriminator=RawVal(b"\0\1")))


def test_what_does_not_fit() -> None:
    with pytest.raises(EncodeError, match="request_id"):
        bytes(GIOP() / CancelRequestHeader(request_id=1 << 32))
    with pytest.raises(EncodeError, match="the service context 4711"):
        ServiceContextLayer(context_id=4711, context_data=CodeSetContext(1, 2))
    with pytest.raises(KeyError):
        ReplyHeader_1_2(reply_status="PERHAPS")
    with pytest.raises(TypeError):
        layer_of(Annotated[int, Short])


@given(st.binary(max_size=80), st.integers(0, 2), st.integers(0, 8), st.integers(0, 3))
def test_any_octets(octets: bytes, minor: int, kind: int, flags: int) -> None:
    whole = bytes(GIOP(minor=minor, message_type=kind, flags=flags) / octets)
    for data in (whole, octets):
        packet = Ether(bytes(Ether() / IP() / TCP(dport=2809) / data))
        assert bytes(packet[TCP].payload) == data
        packet.summary()
        packet.show(dump=True)


@given(iiop_st.malformed(values=iiop_st.messages()))
def test_malformed_messages(malformed: iiop_st.Malformed) -> None:
    data = malformed.octets
    packet = GIOP(data)
    assert bytes(packet) == data
    packet.summary()
    packet.show(dump=True)


# --- random values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_fuzzed_members_are_well_formed(seed: int) -> None:
    random.seed(seed)
    for header in (RequestHeader_1_2(operation="f"), ReplyHeader_1_2(), RequestHeader_1_0(), LocateReplyHeader()):
        octets = bytes(GIOP() / fuzz(header))
        assert not isinstance(GIOP(octets).payload, Raw)
    assert GIOP(bytes(GIOP() / fuzz(RequestHeader_1_2(operation="f", request_id=7)))).request_id == 7
    component = fuzz(NameComponent())
    assert isinstance(component.cdr_value(), WireNameComponent)
    assert len({bytes(fuzz(NameComponent())) for _ in range(20)}) > 10
    assert bytes(fuzz(TargetAddressLayer()))[:2] == b"\0\0"


def test_numbers_in_a_range() -> None:
    """A tuple is a range, as anywhere in scapy; a list are values."""
    assert [packet.request_id for packet in GIOP() / CancelRequestHeader(request_id=(1, 3))] == [1, 2, 3]
    assert [packet.request_id for packet in GIOP() / CancelRequestHeader(request_id=[1, 3])] == [1, 3]
    assert [packet.operation for packet in GIOP() / RequestHeader_1_2(operation=["f", "g"])] == ["f", "g"]


# --- references and contexts ------------------------------------------------------------------------------------------


def test_references() -> None:
    texts = [json.loads(line)["ior"] for line in IORS.read_text(encoding="utf-8").splitlines()]
    reference = next(it for it in map(ior.IOR.from_string, texts) if it.profiles and it.profiles[0].tag == 0)
    packet = packet_of(reference)
    assert isinstance(packet, IOR)
    assert ior.IOR.from_iop(packet.cdr_value()) == ior.IOR.from_iop(reference.to_iop())
    assert reference.profiles[0].host in packet.show(dump=True)
    assert bytes(packet) == IOR_CODEC.encode(reference.to_iop())
    assert IOR(bytes(packet)) == packet
    bound = GIOP() / RequestHeader_1_2(target=KEY) / NamingContextExt["bind"].arguments(n=[NameComponent(id="a")], obj=reference)
    message = decode(bytes(bound))
    assert isinstance(message, Request)
    assert message.body.decode(NamingContextExtInterface.operations()["bind"].arguments)[1] == reference.to_iop()


def test_typed_octets() -> None:
    """Profiles, components and contexts are given as octets or as what these say, and show that."""
    context = ServiceContextLayer(context_id=int(ServiceId.CodeSets), context_data=CodeSetContext(0x05010001, 0x00010109))
    assert context.cdr_said(context.context_data) == CodeSetContext(0x05010001, 0x00010109)
    assert "CodeSetContext" in context.show(dump=True)
    assert ServiceContextLayer(context_id=4711, context_data=b"abc").cdr_said(b"abc") is None
    profile = ProfileBody(Version(1, 2), "host", 2809, b"k")
    layer = TaggedProfileLayer(tag=0, profile_data=profile)
    assert layer.cdr_value() == encode_profile(profile)
    assert "port=2809" in layer.show(dump=True)
    component = TaggedComponent(tag=0, component_data=ORBType(0x41545400))
    assert component.cdr_said(component.component_data) == ORBType(0x41545400)
    assert TaggedComponent(tag=0, component_data=b"xx").cdr_said(b"xx") is None


def test_tags_by_name() -> None:
    context = ServiceContextLayer(context_id="CodeSets", context_data=CodeSetContext(1, 2))
    assert context.cdr_value().context_id == ServiceId.CodeSets
    assert "context_id= CodeSets" in context.show(dump=True)
    assert "context_id= 4711" in ServiceContextLayer(context_id=4711).show(dump=True)
    assert "tag       = TAG_INTERNET_IOP" in TaggedProfileLayer().show(dump=True)
    assert TaggedComponent(tag="TAG_CODE_SETS").tag == 1
    assert bytes(TaggedComponent(tag=RawVal(b"t"), component_data=b"")) == b"t" + bytes(7)
    with pytest.raises(KeyError):
        TaggedComponent(tag="TAG_OF_NOBODY")


# --- interfaces of one's own ------------------------------------------------------------------------------------------


class Account(Interface):
    repository_id = "IDL:scapy/Account:1.0"

    @operation
    def list(self, currency: str) -> Annotated[int, Long]:  # type: ignore[empty-body]
        """Have an operation whose name is one of CosNaming's, too."""


def test_an_interface_of_ones_own() -> None:
    account = bind_interface(Account)
    asked = GIOP(bytes(GIOP() / RequestHeader_1_2(target=KEY) / account["list"].arguments(currency="EUR")))
    assert asked.lastlayer().currency == "EUR"
    replied = GIOP(bytes(GIOP() / ReplyHeader_1_2() / account["list"].results(result0=-5)))
    assert isinstance(replied.lastlayer(), Raw)
    replied.dissect_answer(asked)
    assert replied.result0 == -5
    listed = GIOP(bytes(GIOP() / RequestHeader_1_2(target=KEY) / NamingContextExt["list"].arguments(how_many=7)))
    assert listed.how_many == 7


class Speaker(Interface):
    repository_id = "IDL:scapy/Speaker:1.0"

    @operation
    def say(self, one: Annotated[str, Char], wide: Annotated[str, WChar], text: Annotated[str, WString]) -> None:
        """Have text that is no string."""


@pytest.mark.parametrize("order", ByteOrder)
def test_characters_and_wide_text(order: ByteOrder) -> None:
    layers = bind_interface(Speaker)["say"]
    made = GIOP(flags=int(order)) / RequestHeader_1_2(target=KEY) / layers.arguments(one="a", wide="\u540d", text="a\u540d")
    said = GIOP(bytes(made)).lastlayer()
    assert said.cdr_value() == ("a", "\u540d", "a\u540d")
    assert "\u540d" in said.show(dump=True)
    random.seed(3)
    for _ in range(20):
        assert isinstance(
            GIOP(bytes(GIOP() / RequestHeader_1_2(target=KEY) / fuzz(layers.arguments()))).lastlayer(), layers.arguments
        )
