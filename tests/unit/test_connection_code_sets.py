"""Code sets on the sans-IO connection: who says what when, and in what the text that follows is read."""

from __future__ import annotations

from typing import Annotated, cast

import pytest

from iiop.cdr import ByteOrder, Codec, arguments
from iiop.cdr.code_sets import ISO_8859_1, NO_CODE_SET, UTF_8, UTF_16, Negotiated
from iiop.cdr.wide import WString
from iiop.connection import Connection, Event, Role
from iiop.exceptions import (
    BAD_PARAM,
    CODESET_INCOMPATIBLE,
    INV_OBJREF,
    MARSHAL,
    CompletionStatus,
    DecodeError,
    EncodeError,
    refusal,
)
from iiop.giop.messages import (
    GIOP_1_0,
    GIOP_1_1,
    GIOP_1_2,
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Message,
    Reply,
    Request,
    ResponseFlags,
    key_address,
)
from iiop.iop import SERVICE_CONTEXTS, ServiceContext, ServiceId
from iiop.leniency import DEFAULT, LENIENT, STRICT, Leniency
from iiop.limits import Limits
from iiop.profile import BiDirIIOPServiceContext, CodeSetComponent, CodeSetComponentInfo, CodeSetContext, Version

SJIS, EUC_JP = 0x05000011, 0x00030010
OMG = 0x4F4D0000
NO = CompletionStatus.COMPLETED_NO
TEXT = Codec(arguments("op", ("text", str)))
WIDE = Codec(arguments("op", ("text", Annotated[str, WString])))
KEY = key_address(b"key")
OTHER = ServiceContext(4711, b"other")


def context(char: int, wchar: int) -> ServiceContext:
    return ServiceContext(ServiceId.CodeSets, SERVICE_CONTEXTS.encode(ServiceId.CodeSets, CodeSetContext(char, wchar)))


def code_sets_said(contexts: tuple[ServiceContext, ...]) -> tuple[int, int] | None:
    for item in contexts:
        if item.context_id == ServiceId.CodeSets:
            said = SERVICE_CONTEXTS.decode(ServiceId.CodeSets, item.context_data)
            return said.char_data, said.wchar_data
    return None


def hand(octets: bytes, to: Connection) -> Event:
    to.receive_data(octets)
    return to.next_event()


def asked(client: Connection, version: Version = GIOP_1_2, body: Body | None = None, **more: object) -> Request:
    body = body or Body()
    return Request(client.next_request_id(), "op", KEY, body=body, version=version, **more)  # type: ignore[arg-type]


def said(client: Connection, server: Connection, message: Request) -> Request:
    event = hand(client.send(message), server)
    assert isinstance(event, Request)
    return event


def answered(client: Connection, server: Connection, request: Request, body: Body | None = None) -> Reply:
    event = hand(server.send(Reply(request.request_id, body=body or Body(), version=request.version)), client)
    assert isinstance(event, Reply)
    return event


@pytest.mark.parametrize("version", [GIOP_1_1, GIOP_1_2])
@pytest.mark.parametrize("agreed", [Negotiated(SJIS, UTF_16), Negotiated(UTF_8, UTF_16), Negotiated(EUC_JP, UTF_16)])
def test_both_ends_speak_what_the_client_announces(agreed: Negotiated, version: Version) -> None:
    client, server = Connection(Role.CLIENT, agreed=agreed), Connection(Role.SERVER)
    for _ in range(2):
        for codec in (TEXT, WIDE):
            request = said(client, server, asked(client, version, Body.of(codec, ("口座",), client.speech(version))))
            assert request.body.decode(codec) == ("口座",)
            reply = answered(client, server, request, Body.of(codec, ("残高",), request.body.speech))
            assert reply.body.decode(codec) == ("残高",)


def test_the_context_is_sent_until_a_reply_has_come() -> None:
    client, server = Connection(Role.CLIENT, agreed=Negotiated(SJIS, UTF_16)), Connection(Role.SERVER)
    oneway = said(client, server, asked(client, response_flags=ResponseFlags.SYNC_NONE.value))
    first = said(client, server, asked(client))
    second = said(client, server, asked(client, service_context=(OTHER,)))
    for request in (oneway, first, second):
        assert code_sets_said(request.service_context) == Negotiated(SJIS, UTF_16)
    assert second.service_context[0] == OTHER
    answered(client, server, second)
    third = said(client, server, asked(client, service_context=(OTHER,)))
    assert third.service_context == (OTHER,)
    assert third.body.speech.char == SJIS


def test_what_shows_nothing_does_not_end_the_announcement() -> None:
    client, server = Connection(Role.CLIENT, agreed=Negotiated(SJIS, UTF_16)), Connection(Role.SERVER)
    located = hand(client.send(LocateRequest(client.next_request_id(), KEY)), server)
    assert isinstance(located, LocateRequest)
    assert isinstance(hand(server.send(LocateReply(located.request_id, LocateStatus.OBJECT_HERE)), client), LocateReply)
    old = said(client, server, asked(client, GIOP_1_0))
    assert old.service_context == (), "GIOP 1.0 has no choice"
    answered(client, server, old)
    assert code_sets_said(said(client, server, asked(client, GIOP_1_1)).service_context) == (SJIS, UTF_16)


def test_a_context_of_ones_own_is_left_alone() -> None:
    client, server = Connection(Role.CLIENT, agreed=Negotiated(SJIS, UTF_16)), Connection(Role.SERVER)
    own = context(EUC_JP, UTF_16)
    assert said(client, server, asked(client, service_context=(own,))).service_context == (own,)


def test_without_an_agreement_nothing_is_said() -> None:
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    request = said(client, server, asked(client, body=Body.of(TEXT, ("é",), client.speech(GIOP_1_2))))
    assert request.service_context == ()
    assert request.body.speech.char == ISO_8859_1
    assert request.body.decode(TEXT) == ("é",)


def test_giop_1_0_is_iso_8859_1_whatever_was_agreed() -> None:
    client, server = Connection(Role.CLIENT, agreed=Negotiated(UTF_8, UTF_16)), Connection(Role.SERVER)
    answered(client, server, said(client, server, asked(client)))
    request = said(client, server, asked(client, GIOP_1_0, Body.of(TEXT, ("é",), client.speech(GIOP_1_0))))
    assert bytes(request.body) == b"\2\0\0\0\xe9\0"
    assert request.body.decode(TEXT) == ("é",)
    with pytest.raises(EncodeError) as caught:
        client.send(asked(client, GIOP_1_0, Body.of(WIDE, ("é",), client.speech(GIOP_1_0))))
    assert refusal(caught.value, NO) == MARSHAL(OMG | 5, NO)


def test_wide_text_without_a_code_set() -> None:
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    with pytest.raises(EncodeError) as unsent:
        client.send(asked(client, body=Body.of(WIDE, ("a",), client.speech(GIOP_1_2))))
    assert refusal(unsent.value, NO) == INV_OBJREF(OMG | 2, NO)
    request = said(client, server, asked(client, body=Body.of(WIDE, ("a",))))
    with pytest.raises(DecodeError) as unread:
        request.body.decode(WIDE)
    assert refusal(unread.value, NO) == BAD_PARAM(OMG | 23, NO)


def test_the_last_context_counts() -> None:
    """A client says it once, but what distributes the requests of several over one connection may say it with each."""
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    for char, text in ((SJIS, "口座"), (UTF_8, "Привет"), (0, "é"), (ISO_8859_1, "é")):
        request = said(client, server, asked(client, service_context=(OTHER, context(char, UTF_16))))
        assert request.body.speech.char == (char or ISO_8859_1)
        again = said(client, server, asked(client, body=Body.of(TEXT, (text,), request.body.speech)))
        assert again.body.decode(TEXT) == (text,)


ONLY_EUC = CodeSetComponentInfo(CodeSetComponent(EUC_JP, (ISO_8859_1,)), CodeSetComponent(NO_CODE_SET, ()))


@pytest.mark.parametrize(
    ("ours", "char", "wchar", "speaks"),
    [
        (ONLY_EUC, EUC_JP, NO_CODE_SET, (EUC_JP, NO_CODE_SET)),
        (ONLY_EUC, SJIS, NO_CODE_SET, (NO_CODE_SET, NO_CODE_SET)),
        (ONLY_EUC, UTF_8, UTF_16, (UTF_8, UTF_16)),
        (ONLY_EUC, 0, 0, (ISO_8859_1, NO_CODE_SET)),
        (ONLY_EUC, 0xFFFFFFFF, UTF_16, (NO_CODE_SET, UTF_16)),
        (ONLY_EUC, EUC_JP, SJIS, (EUC_JP, NO_CODE_SET)),
        (None, SJIS, UTF_8, (SJIS, UTF_8)),
        (None, 0x0004000A, UTF_16, (NO_CODE_SET, UTF_16)),
    ],
)
def test_what_a_server_takes(ours: CodeSetComponentInfo | None, char: int, wchar: int, speaks: tuple[int, int]) -> None:
    client = Connection(Role.CLIENT)
    server = Connection(Role.SERVER) if ours is None else Connection(Role.SERVER, code_sets=ours)
    request = said(client, server, asked(client, service_context=(context(char, wchar),)))
    assert (request.body.speech.char, request.body.speech.wide) == speaks
    if wchar not in (NO_CODE_SET, speaks[1]):
        with pytest.raises(DecodeError) as caught:
            Body(b"\0\0\0\0", 0).decode(WIDE.spoken(request.body.speech))
        assert refusal(caught.value, NO) == CODESET_INCOMPATIBLE(OMG | 2, NO)


@pytest.mark.parametrize("leniency", [DEFAULT, STRICT, LENIENT])
def test_text_in_a_code_set_that_a_server_has_not_is_not_read(leniency: Leniency) -> None:
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    request = said(client, server, asked(client, service_context=(context(0xFFFFFFFF, UTF_16),)))
    with pytest.raises(DecodeError, match=r"^text at offset 4: code set 0x00000000 cannot be read here") as caught:
        Body(b"\0\0\0\2a\0", 0, ByteOrder.BIG).decode(TEXT.spoken(request.body.speech), limits=Limits(leniency=leniency))
    assert refusal(caught.value, NO) == CODESET_INCOMPATIBLE(OMG | 2, NO)
    with pytest.raises(EncodeError, match="cannot be written here") as refused:
        TEXT.spoken(request.body.speech).encode(("a",))
    assert refusal(refused.value, NO) == CODESET_INCOMPATIBLE(OMG | 2, NO)


@pytest.mark.parametrize("octets", [b"", b"\0", b"\7" * 12, b"\0" * 11, bytes(13)])
def test_a_context_that_cannot_be_read_names_no_code_set(octets: bytes) -> None:
    client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
    request = said(client, server, asked(client, service_context=(ServiceContext(ServiceId.CodeSets, octets),)))
    assert request.body.speech.char == NO_CODE_SET
    assert said(client, server, asked(client, service_context=(context(SJIS, 0),))).body.speech.char == SJIS


def test_a_client_does_not_listen() -> None:
    client, server = Connection(Role.CLIENT, agreed=Negotiated(UTF_8, UTF_16)), Connection(Role.SERVER)
    request = said(client, server, asked(client))
    reply = Reply(request.request_id, service_context=(context(SJIS, UTF_16),), body=Body.of(TEXT, ("é",), request.body.speech))
    event = hand(server.send(reply), client)
    assert cast("Reply", event).body.decode(TEXT) == ("é",)


def test_fragments_are_read_in_the_same_speech() -> None:
    client, server = Connection(Role.CLIENT, agreed=Negotiated(SJIS, UTF_16), fragment_size=64), Connection(Role.SERVER)
    message: Message = asked(client, body=Body.of(TEXT, ("口座" * 100,), client.speech(GIOP_1_2)))
    event = hand(client.send(message), server)
    assert cast("Request", event).body.decode(TEXT) == ("口座" * 100,)


def test_callbacks_are_in_the_code_sets_that_the_client_chose() -> None:
    client = Connection(Role.CLIENT, agreed=Negotiated(SJIS, UTF_16), bidirectional=True)
    server = Connection(Role.SERVER, bidirectional=True)
    offer = ServiceContext(ServiceId.BI_DIR_IIOP, SERVICE_CONTEXTS.encode(ServiceId.BI_DIR_IIOP, BiDirIIOPServiceContext(())))
    answered(client, server, said(client, server, asked(client, service_context=(offer,))))
    callback = said(server, client, asked(server, body=Body.of(TEXT, ("口座",), server.speech(GIOP_1_2))))
    assert callback.service_context == ()
    assert callback.body.decode(TEXT) == ("口座",)
    reply = answered(server, client, callback, Body.of(TEXT, ("残高",), callback.body.speech))
    assert reply.body.decode(TEXT) == ("残高",)
