"""Text between omniORBpy and us, in the code sets that omniORBpy has, both ways; and what it answers where there is none.

Its wheel has no Shift-JIS and no EUC-JP. wchar is left out: its server drops the connection when it gets one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest

from iiop import iop
from iiop.cdr import Char, StringType
from iiop.cdr.any import Any, type_of
from iiop.cdr.code_sets import ISO_8859_1, UTF_8, UTF_16, Negotiated
from iiop.cdr.typecode import Member, TCKind, TypeCode
from iiop.cdr.wide import WString
from iiop.exceptions import (
    BAD_INV_ORDER,
    BAD_PARAM,
    CODESET_INCOMPATIBLE,
    DATA_CONVERSION,
    MARSHAL,
    CompletionStatus,
    SystemException,
    UserException,
)
from iiop.failover import FailoverPolicy
from iiop.idl import Interface, Servant, operation
from iiop.iop import COMPONENTS, ComponentId, TaggedComponent
from iiop.net.client import Client
from iiop.profile import CodeSetComponent, CodeSetComponentInfo, ProfileBody, decode_profile, encode_profile
from ior import IOR, IORBuilder
from naming import NameService, NamingServer, parse_name
from tests.interop.omni_echo import IDL
from tests.peers import OmniClient, OmniException, PeerProcess, name, omni_names, omniidl_stubs

NO = CompletionStatus.COMPLETED_NO
OMG, OMNIORB = 0x4F4D0000, 0x41540000
SJIS, EUC_JP, IBM_037, WINDOWS_1251, GBK = 0x05000011, 0x00030010, 0x10020025, 0x100204E3, 0x10020567
POLICY = FailoverPolicy(deadline=20.0)
TARGET = IORBuilder("IDL:test/Thing:1.0").iiop("127.0.0.1", 1, key=b"thing").code_sets().build()


@dataclass(eq=False)
class Refused(UserException):
    """The exception of `omni_echo`."""

    repository_id: ClassVar[str] = "IDL:EchoTest/Refused:1.0"

    why: str
    reason: Annotated[str, WString]


class Echo(Interface):
    """The interface of `omni_echo`."""

    repository_id = "IDL:EchoTest/Echo:1.0"

    @operation
    def text(self, s: str) -> str: ...  # type: ignore[empty-body]

    @operation
    def three(self, s: Annotated[str, StringType(3)]) -> Annotated[str, StringType(3)]: ...  # type: ignore[empty-body]

    @operation
    def wide(self, s: Annotated[str, WString]) -> Annotated[str, WString]: ...  # type: ignore[empty-body]

    @operation
    def letter(self, c: Annotated[str, Char]) -> Annotated[str, Char]: ...  # type: ignore[empty-body]

    @operation
    def thing(self, a: Any) -> Any: ...  # type: ignore[empty-body]

    @operation(raises=(Refused,))
    def refuse(self, why: str, reason: Annotated[str, WString]) -> None: ...


class EchoServant(Servant):
    """Give back what comes."""

    interface = Echo

    def text(self, s: str) -> str:
        return s

    three = wide = letter = text

    def thing(self, a: Any) -> Any:
        return a

    def refuse(self, why: str, reason: str) -> None:
        raise Refused(why, reason)


def sets(native: int, *conversions: int) -> CodeSetComponentInfo:
    return CodeSetComponentInfo(CodeSetComponent(native, conversions), CodeSetComponent(UTF_16, ()))


NATIVE = {
    "ISO-8859-1": (ISO_8859_1, "é ÿ", "€"),
    "UTF-8": (UTF_8, "口座 é €", None),
    "windows-1251": (WINDOWS_1251, "Привет €", "é"),
    "IBM-037": (IBM_037, "CORBA é", "€"),
    "GBK": (GBK, "口座 Привет", "ÿ"),
}
"""By omniORB's name: number, text that it has, text that it lacks."""

_PAIR = TypeCode(
    TCKind.tk_struct,
    "IDL:test/Pair:1.0",
    "Pair",
    (
        Member("narrow", TypeCode(TCKind.tk_string)),
        Member("wide", TypeCode(TCKind.tk_wstring)),
        Member("c", TypeCode(TCKind.tk_char)),
    ),
)


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return omniidl_stubs(IDL, tmp_path_factory.mktemp("echo"))


@contextmanager
def omni_echo(stubs: Path, folder: Path, *options: str) -> Iterator[IOR]:
    """Run an omniORBpy server."""
    program = Path(__file__).with_name("omni_echo.py")
    args = [sys.executable, "-P", program, stubs, "-ORBendPoint", "giop:tcp:127.0.0.1:0", *options]
    with PeerProcess(args, folder / "omni_echo.log") as process:
        yield IOR.from_string(process.wait_line("^(IOR:[0-9a-f]+)$")[1])


def stating(reference: IOR, code_sets: CodeSetComponentInfo) -> iop.IOR:
    """Return a reference that says something else than its server."""
    body = decode_profile(reference.profiles[0].profile_data)
    component = TaggedComponent(ComponentId.TAG_CODE_SETS, COMPONENTS.encode(ComponentId.TAG_CODE_SETS, code_sets))
    changed = ProfileBody(body.iiop_version, body.host, body.port, body.object_key, (component,))
    return iop.IOR(reference.type_id, (encode_profile(changed),))


def told(stub: Echo, operation: str, *arguments: object) -> SystemException:
    with pytest.raises(SystemException) as caught:
        getattr(stub, operation)(*arguments)
    return caught.value


@pytest.mark.parametrize("native", NATIVE)
def test_our_client_speaks_what_an_omniorbpy_server_has(stubs: Path, tmp_path: Path, native: str) -> None:
    number, text, beyond = NATIVE[native]
    with omni_echo(stubs, tmp_path, "-ORBnativeCharCodeSet", native) as reference, Client(policy=POLICY) as client:
        stated = reference.endpoints()[0].code_sets
        assert client.negotiated(stated) == Negotiated(number, UTF_16)
        stub = client.stub(reference, Echo)
        assert stub.text(text) == text
        assert stub.wide("口座 \U0001f600") == "口座 \U0001f600"
        assert stub.letter("a") == "a"
        assert stub.three("abc") == "abc"
        pair = Any(_PAIR, type_of(_PAIR).cls(text, "口座", "x"))  # type: ignore[attr-defined]
        assert stub.thing(pair) == pair
        with pytest.raises(Refused) as refused:
            stub.refuse(text, "口座")
        assert (refused.value.why, refused.value.reason) == (text, "口座")
        if beyond is not None:
            assert told(stub, "text", beyond) == DATA_CONVERSION(OMG | 1, NO)
        assert stub.text(text) == text


@pytest.mark.parametrize("native", NATIVE)
def test_an_omniorbpy_client_speaks_what_our_server_has(stubs: Path, native: str) -> None:
    number, text, _ = NATIVE[native]
    for code_sets in (sets(number), sets(SJIS, UTF_8), None):
        with (
            NamingServer() if code_sets is None else NamingServer(code_sets=code_sets) as server,
            OmniClient("-ORBnativeCharCodeSet", native) as client,
        ):
            server.activate(EchoServant(), b"echo")
            body = decode_profile(server.ior.profiles[0].profile_data)
            body = ProfileBody(body.iiop_version, body.host, body.port, b"echo", body.components)
            reference = IOR.from_iop(iop.IOR(Echo.repository_id, (encode_profile(body),)))
            client.load(stubs, "EchoTest")
            echo = client.string_to_object(str(reference), "EchoTest.Echo")
            assert echo.call("text", text) == text
            assert echo.call("wide", "口座 \U0001f600") == "口座 \U0001f600"
            assert echo.call("letter", "a") == "a"
            with pytest.raises(OmniException) as refused:
                echo.call("refuse", text, "口座")
            assert refused.value.members == {"why": text, "reason": "口座"}


@pytest.mark.parametrize("native", ["ISO-8859-1", "UTF-8"])
def test_names_with_japanese_characters(native: str) -> None:
    """omniORBpy's text is Python's, whatever its native code set: what counts is that UTF-8 is agreed on."""
    with (
        NamingServer() as server,
        NameService(str(server.ior), policy=POLICY) as names,
        OmniClient("-ORBnativeCharCodeSet", native) as client,
    ):
        theirs = client.naming(str(server.ior))
        theirs.call("bind_new_context", name(("口座", "種類")))
        names.root.bind(parse_name("口座.種類/残高"), TARGET.to_iop())
        assert IOR.from_string(theirs.call("resolve_str", "口座.種類/残高").ior()).endpoints() == TARGET.endpoints()
        assert theirs.call("resolve", name(("口座", "種類"), "残高")) is not None
        assert names.resolve("口座.種類/残高").endpoints() == TARGET.endpoints()
        bindings, _ = theirs.call("list", 10)
        assert [row["binding_name"] for row in bindings] == [name(("口座", "種類"))]
        with pytest.raises(OmniException) as caught:
            theirs.call("resolve", name(("口座", "種類"), "無い"))
        assert caught.value.members["rest_of_name"] == name("無い")


def test_names_on_omninames(tmp_path: Path) -> None:
    with (
        omni_names(tmp_path, "-ORBnativeCharCodeSet", "UTF-8") as peer,
        NameService(str(peer.ior), policy=POLICY) as names,
        OmniClient() as client,
    ):
        names.root.bind(parse_name("口座"), TARGET.to_iop())
        assert names.resolve("口座").endpoints() == TARGET.endpoints()
        assert client.naming(str(peer.ior)).call("resolve", name("口座")) is not None


def test_a_bound_is_octets_to_omniorb_and_characters_to_us(stubs: Path, tmp_path: Path) -> None:
    with omni_echo(stubs, tmp_path, "-ORBnativeCharCodeSet", "UTF-8") as reference, Client(policy=POLICY) as client:
        assert told(client.stub(reference, Echo), "three", "口座é") == MARSHAL(OMNIORB | 0x13, NO)


def test_what_omniorbpy_answers_to_code_sets_it_has_not(stubs: Path, tmp_path: Path) -> None:
    """Not CODESET_INCOMPATIBLE: it takes what it does not know for nothing said."""
    with omni_echo(stubs, tmp_path) as reference, Client(policy=POLICY) as client:
        sjis = client.stub(stating(reference, sets(SJIS)), Echo)
        assert told(sjis, "text", "a") == BAD_INV_ORDER(OMNIORB | 0x18, NO)
        odd = CodeSetComponentInfo(CodeSetComponent(UTF_8, ()), CodeSetComponent(EUC_JP, ()))
        stub = client.stub(stating(reference, odd), Echo)
        assert told(stub, "wide", "口座") == BAD_PARAM(OMG | 23, NO)
        assert stub.text("é") == "é"


def test_no_code_set_in_common(stubs: Path, tmp_path: Path) -> None:
    """We find out before anything is sent; omniORBpy sends UTF-8, the fallback, where the standard has it give up."""
    with omni_echo(stubs, tmp_path) as reference, Client(policy=POLICY, code_sets=sets(SJIS)) as client:
        error = told(client.stub(reference, Echo), "text", "a")
        assert (error, error.received) == (CODESET_INCOMPATIBLE(OMG | 1, NO), False)
    with NamingServer(code_sets=sets(SJIS)) as server, OmniClient() as omni:
        assert omni.naming(str(server.ior)).call("to_string", name("口座 한국")) == "口座 한국"
