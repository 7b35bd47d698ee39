"""Text over sockets: clients and servers of different code sets, what they agree on, and what is told where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import pytest

from iiop.cdr import Char, StringType
from iiop.cdr.code_sets import ISO_8859_1, NO_CODE_SET, UTF_8, UTF_16, Negotiated
from iiop.cdr.wide import WChar, WString
from iiop.exceptions import (
    BAD_PARAM,
    CODESET_INCOMPATIBLE,
    DATA_CONVERSION,
    INV_OBJREF,
    MARSHAL,
    CompletionStatus,
    EncodeError,
    SystemException,
    UserException,
)
from iiop.failover import FailoverPolicy
from iiop.giop.messages import GIOP_1_0, GIOP_1_1, GIOP_1_2
from iiop.idl import Interface, Servant, operation
from iiop.iop import COMPONENTS, IOR, ComponentId, TaggedComponent
from iiop.net.client import Client
from iiop.profile import CodeSetComponent, CodeSetComponentInfo, ProfileBody, Version, encode_profile
from naming import NameService, NamingServer, parse_name
from tests.net import scripted as s
from tests.unit.test_connection_code_sets import code_sets_said

SJIS, EUC_JP, FUJITSU_SJIS, FUJITSU_EUC, EUC_KR, CYRILLIC = 0x05000011, 0x00030010, 0x10040003, 0x10040002, 0x0004000A, 0x00010005
OMG = 0x4F4D0000
NO, YES, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_YES, CompletionStatus.COMPLETED_MAYBE
PATIENCE = s.PATIENCE
POLICY = FailoverPolicy(deadline=PATIENCE)


def sets(native: int, *conversions: int, wide: int = UTF_16) -> CodeSetComponentInfo:
    return CodeSetComponentInfo(CodeSetComponent(native, conversions), CodeSetComponent(wide, ()))


class Refused(UserException):
    repository_id: ClassVar[str] = "IDL:test/Refused:1.0"


class Echo(Interface):
    """Give back what comes."""

    repository_id = "IDL:test/Echo:1.0"

    @operation
    def text(self, s: str) -> str: ...  # type: ignore[empty-body]

    @operation
    def short(self, s: Annotated[str, StringType(2)]) -> str: ...  # type: ignore[empty-body]

    @operation
    def wide(self, s: Annotated[str, WString]) -> Annotated[str, WString]: ...  # type: ignore[empty-body]

    @operation
    def letter(self, c: Annotated[str, Char], w: Annotated[str, WChar]) -> Annotated[str, WString]: ...  # type: ignore[empty-body]

    @operation
    def answer(self, points: tuple[Annotated[int, s.Long], ...]) -> str: ...  # type: ignore[empty-body]

    @operation
    def answer_wide(self) -> Annotated[str, WString]: ...  # type: ignore[empty-body]

    @operation
    def nothing(self) -> None: ...


class EchoServant(Servant):
    interface = Echo
    calls = 0

    def text(self, s: str) -> str:
        self.calls += 1
        return s

    short = wide = text

    def letter(self, c: str, w: str) -> str:
        return c + w

    def answer(self, points: tuple[int, ...]) -> str:
        self.calls += 1
        return "".join(map(chr, points))

    def answer_wide(self) -> str:
        return "wide"

    def nothing(self) -> None:
        self.calls += 1


@pytest.fixture
def servant() -> EchoServant:
    return EchoServant()


def serving(servant: EchoServant, code_sets: CodeSetComponentInfo | None = None) -> NamingServer:
    server = NamingServer() if code_sets is None else NamingServer(code_sets=code_sets)
    server.adapter.activate(b"echo", servant)
    return server


@pytest.fixture
def server(servant: EchoServant) -> Iterator[NamingServer]:
    with serving(servant) as server:
        yield server


def reference(
    port: int, code_sets: CodeSetComponentInfo | bytes | None, version: Version = GIOP_1_2, key: bytes = b"echo"
) -> IOR:
    """Return a reference that states code sets, or octets in their place."""
    octets = COMPONENTS.encode(ComponentId.TAG_CODE_SETS, code_sets) if isinstance(code_sets, CodeSetComponentInfo) else code_sets
    components = () if octets is None else (TaggedComponent(ComponentId.TAG_CODE_SETS, octets),)
    return IOR(Echo.repository_id, (encode_profile(ProfileBody(version, "127.0.0.1", port, b"echo", components)),))


def told(client: Client, to: IOR, operation: str, *arguments: object) -> SystemException:
    with pytest.raises(SystemException) as caught:
        getattr(client.stub(to, Echo, policy=POLICY), operation)(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [
        (None, None, "口座 é €"),
        (None, sets(SJIS), "口座 ｱ"),
        (None, sets(EUC_JP), "口座 丂"),
        (None, sets(FUJITSU_EUC), "富士通"),
        (None, sets(FUJITSU_SJIS), "高①"),
        (None, sets(EUC_KR), "한국"),
        (None, sets(CYRILLIC), "Привет"),
        (sets(FUJITSU_SJIS), None, "高①"),
        (sets(EUC_JP), None, "口座"),
        (sets(SJIS), sets(EUC_JP), "口座 é"),
        (sets(SJIS, EUC_JP), sets(FUJITSU_EUC, EUC_JP), "口座"),
        (sets(ISO_8859_1), sets(ISO_8859_1), "é"),
    ],
)
def test_text_comes_back(
    servant: EchoServant, ours: CodeSetComponentInfo | None, theirs: CodeSetComponentInfo | None, text: str
) -> None:
    with serving(servant, theirs) as server, Client(policy=POLICY, code_sets=ours) as client:
        code_sets = server.ior.endpoints()[0].code_sets
        for version in (GIOP_1_2, GIOP_1_1):
            stub = client.stub(reference(server.port, code_sets, version), Echo)
            assert stub.text(text) == text
            assert stub.wide("wide 口座 \U0001f600") == "wide 口座 \U0001f600"
            assert stub.letter("a", "口") == "a口"
            assert stub.answer(tuple(map(ord, text))) == text
        assert client.stub(reference(server.port, None, GIOP_1_0), Echo).text("é") == "é"


def test_names_keep_their_characters(server: NamingServer) -> None:
    target = reference(1, None)
    with (
        NameService(str(server.ior), policy=POLICY) as names,
        Client(policy=POLICY, code_sets=sets(SJIS)) as old,
        Client(policy=POLICY, code_sets=sets(FUJITSU_EUC)) as older,
    ):
        names.root.bind(parse_name("口座"), target)
        for client in (old, older):
            stub = client.stub(server.ior, type(names.root))
            assert stub.resolve(parse_name("口座")) == target
            assert [binding.binding_name for binding in stub.list(10)[0]] == [parse_name("口座")]


def test_a_name_that_a_client_has_no_code_set_for(server: NamingServer) -> None:
    with NameService(str(server.ior), policy=POLICY) as names, NameService(server.corbaloc, policy=POLICY) as plain:
        names.root.bind(parse_name("口座"), reference(1, None))
        with pytest.raises(DATA_CONVERSION) as asked:
            plain.resolve("口座")
        assert asked.value == DATA_CONVERSION(OMG | 1, NO)
        assert isinstance(asked.value.__cause__, EncodeError)
        with pytest.raises(DATA_CONVERSION) as listed:
            plain.root.list(10)
        assert (listed.value, listed.value.received) == (DATA_CONVERSION(OMG | 1, YES), True)


def test_no_code_set_in_common(servant: EchoServant, server: NamingServer) -> None:
    """The client finds out by itself, and sends nothing."""
    with Client(policy=POLICY, code_sets=sets(EUC_KR)) as client:
        error = told(client, reference(server.port, sets(CYRILLIC)), "text", "a")
        assert (error, error.received) == (CODESET_INCOMPATIBLE(OMG | 1, NO), False)
    assert servant.calls == 0


@pytest.mark.parametrize("operation", ["text", "nothing"])
def test_a_server_that_lacks_what_its_reference_promised(servant: EchoServant, operation: str) -> None:
    """As behind a reference that is older than its server: whatever is called, nothing has run."""
    with serving(servant, sets(EUC_JP)) as server, Client(policy=POLICY) as client:
        arguments = ("a",) if operation == "text" else ()
        error = told(client, reference(server.port, sets(CYRILLIC)), operation, *arguments)
        assert (error, error.received) == (CODESET_INCOMPATIBLE(OMG | 2, NO), True)
        assert servant.calls == 0
        assert client.stub(server.ior, Interface)._non_existent() is False


def test_a_character_that_the_code_set_lacks(servant: EchoServant, server: NamingServer) -> None:
    with Client(policy=POLICY) as client:
        sjis = reference(server.port, sets(SJIS))
        assert told(client, sjis, "text", "aé") == DATA_CONVERSION(OMG | 1, NO)
        assert servant.calls == 0
        assert told(client, sjis, "answer", (0xE9,)) == DATA_CONVERSION(OMG | 1, YES)
        assert told(client, reference(server.port, sets(UTF_8)), "letter", "é", "a") == DATA_CONVERSION(OMG | 1, NO)
        assert client.stub(sjis, Echo).text("口座") == "口座", "the connection lives on"
        with pytest.raises(EncodeError, match="3 characters in a string<2>"):
            client.stub(sjis, Echo).short("abc")


def test_wide_text_needs_a_code_set(server: NamingServer) -> None:
    with Client(policy=POLICY) as client:
        assert told(client, reference(server.port, None), "wide", "a") == INV_OBJREF(OMG | 2, NO)
        assert told(client, reference(server.port, b"\0\7"), "wide", "a") == INV_OBJREF(OMG | 2, NO)
        assert told(client, reference(server.port, sets(UTF_8, wide=NO_CODE_SET)), "wide", "a") == INV_OBJREF(OMG | 1, NO)
        assert told(client, reference(server.port, None, GIOP_1_0), "wide", "a") == MARSHAL(OMG | 5, NO)
        assert told(client, reference(server.port, None), "answer_wide") == BAD_PARAM(OMG | 23, YES)
        assert told(client, reference(server.port, None, GIOP_1_0), "answer_wide") == MARSHAL(OMG | 6, YES)


def test_connections_are_shared_by_those_who_agree() -> None:
    """One address, three agreements: as many connections, and each says its own once."""
    script = [step for _ in range(3) for step in (s.request, s.reply(1))]
    with s.ScriptedServer(script, script, script) as server, Client(policy=POLICY) as client:
        for _ in range(3):
            for code_sets in (sets(SJIS), sets(UTF_8), None):
                assert client.stub(reference(server.port, code_sets), s.Counter).value() == 1
        said = [code_sets_said(request.service_context) for request in server.requests]
        assert said == [Negotiated(SJIS, UTF_16), Negotiated(UTF_8, UTF_16), None] + 6 * [None]
        assert server.connections == 3
        client.pool.forget("127.0.0.1", server.port)
        assert not client.pool._idle


def test_text_in_a_reply_that_is_none() -> None:
    def garbage(peer: s.Peer) -> None:
        peer.answer(s.Body.of(s.Codec(s.arguments("result", ("result", bytes))), (b"\xff\0",)), s.ReplyStatus.NO_EXCEPTION)

    with s.ScriptedServer([s.request, garbage]) as server, Client(policy=POLICY) as client:
        assert told(client, reference(server.port, sets(UTF_8)), "text", "a") == DATA_CONVERSION(OMG | 1, MAYBE)
