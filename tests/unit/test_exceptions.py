"""System and user exceptions as a CORBA programmer meets them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest

import iiop.exceptions
from iiop.cdr import ByteOrder, Long, codec
from iiop.exceptions import (
    BAD_PARAM,
    COMM_FAILURE,
    MARSHAL,
    OBJECT_NOT_EXIST,
    TRANSIENT,
    UNKNOWN,
    Attempt,
    CompletionStatus,
    ConnectFailed,
    ConnectionLost,
    CorbaException,
    DeadlineExceeded,
    DecodeError,
    FailoverExhausted,
    IIOPError,
    SystemException,
    UnknownUserException,
    UserException,
    corba,
    explain_minor,
    refusal,
    register_exception,
    system_exception,
    user_exception_class,
)
from iiop.exceptions.advice import ADVICE
from iiop.limits import Limits

NO, YES, MAYBE = CompletionStatus.COMPLETED_NO, CompletionStatus.COMPLETED_YES, CompletionStatus.COMPLETED_MAYBE

STANDARD = [
    "UNKNOWN",
    "BAD_PARAM",
    "NO_MEMORY",
    "IMP_LIMIT",
    "COMM_FAILURE",
    "INV_OBJREF",
    "NO_PERMISSION",
    "INTERNAL",
    "MARSHAL",
    "INITIALIZE",
    "NO_IMPLEMENT",
    "BAD_TYPECODE",
    "BAD_OPERATION",
    "NO_RESOURCES",
    "NO_RESPONSE",
    "PERSIST_STORE",
    "BAD_INV_ORDER",
    "TRANSIENT",
    "FREE_MEM",
    "INV_IDENT",
    "INV_FLAG",
    "INTF_REPOS",
    "BAD_CONTEXT",
    "OBJ_ADAPTER",
    "DATA_CONVERSION",
    "OBJECT_NOT_EXIST",
    "TRANSACTION_REQUIRED",
    "TRANSACTION_ROLLEDBACK",
    "INVALID_TRANSACTION",
    "INV_POLICY",
    "CODESET_INCOMPATIBLE",
    "REBIND",
    "TIMEOUT",
    "TRANSACTION_UNAVAILABLE",
    "TRANSACTION_MODE",
    "BAD_QOS",
    "INVALID_ACTIVITY",
    "ACTIVITY_COMPLETED",
    "ACTIVITY_REQUIRED",
    "THREAD_CANCELLED",
]


@dataclass(eq=False)
class NotFound(UserException):
    repository_id: ClassVar[str] = "IDL:test/NotFound:1.0"
    why: int
    rest_of_name: list[str]


@dataclass(eq=False)
class Empty(UserException):
    repository_id: ClassVar[str] = "IDL:test/Empty:1.0"


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("prefix", ["IDL:omg.org/CORBA/", "IDL:CORBA/"])
def test_standard_system_exception_by_repository_id(name: str, prefix: str) -> None:
    error = system_exception(f"{prefix}{name}:1.0", 7, 2)
    assert type(error) is getattr(iiop.exceptions, name)
    assert error.repository_id == f"IDL:omg.org/CORBA/{name}:1.0"
    assert (error.minor, error.completed) == (7, MAYBE)
    assert isinstance(error, SystemException)
    assert isinstance(error, IIOPError)


def test_the_list_of_system_exceptions_is_complete() -> None:
    ours = {name for name in iiop.exceptions.__all__ if name.isupper()}
    assert ours == set(STANDARD)


def test_completion_values_are_those_of_the_idl() -> None:
    assert [(c.name, c.value) for c in CompletionStatus] == [("COMPLETED_YES", 0), ("COMPLETED_NO", 1), ("COMPLETED_MAYBE", 2)]


@pytest.mark.parametrize(
    ("value", "status"), [(0, YES), (1, NO), (2, MAYBE), (3, MAYBE), (9, MAYBE), (0xFFFFFFFF, MAYBE), (NO, NO)]
)
def test_unintelligible_completion_is_maybe(value: int, status: CompletionStatus) -> None:
    assert system_exception(TRANSIENT.repository_id, 0, value).completed is status


@pytest.mark.parametrize("repository_id", ["IDL:acme.com/Odd:1.0", "IDL:omg.org/CORBA/COMM_FAILURE:1.1", "", "RMI:x:y", "::"])
def test_unknown_system_exception_keeps_what_the_peer_said(repository_id: str) -> None:
    error = system_exception(repository_id, 0x4F4D0001, 1)
    assert type(error) is UNKNOWN
    assert (error.repository_id, error.minor, error.completed) == (repository_id, 0x4F4D0001, NO)
    assert repository_id in str(error)
    assert "unlisted" not in str(error).lower(), "minor codes of UNKNOWN do not explain another exception"
    assert UNKNOWN.repository_id == "IDL:omg.org/CORBA/UNKNOWN:1.0"
    assert pickle.loads(pickle.dumps(error)) == error


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (
            COMM_FAILURE(0x464A0114),
            ["COMM_FAILURE: minor 0x464a0114 (Fujitsu IPCOM_ERROR: IPCOM detected an error, all targets", "), COMPLETED_MAYBE"],
        ),
        (COMM_FAILURE(0x464A0914, MAYBE), ["minor 0x464a0914 (Fujitsu IPCOM_ERROR: IPCOM detected", "COMPLETED_MAYBE"]),
        (COMM_FAILURE(0x41540FFF, YES), ["COMM_FAILURE: minor 0x41540fff (omniORB), COMPLETED_YES"]),
        (BAD_PARAM(), ["BAD_PARAM: minor 0, COMPLETED_MAYBE"]),
        (BAD_PARAM(0x00000001, NO), ["BAD_PARAM: minor 0x00000001, COMPLETED_NO"]),
        (TRANSIENT(0x4F4D0003), ["TRANSIENT: minor 0x4f4d0003 (OMG CANCELLED: the request was cancelled), COMPLETED_MAYBE"]),
    ],
)
def test_text_of_a_system_exception(error: SystemException, parts: list[str]) -> None:
    for part in parts:
        assert part in str(error)


def test_system_exceptions_compare_by_type_and_values() -> None:
    assert COMM_FAILURE(1, NO) == COMM_FAILURE(1, NO)
    assert hash(COMM_FAILURE(1, NO)) == hash(COMM_FAILURE(1, NO))
    assert COMM_FAILURE(1, NO) != COMM_FAILURE(2, NO)
    assert COMM_FAILURE(1, NO) != COMM_FAILURE(1, MAYBE)
    assert COMM_FAILURE(1, NO) != TRANSIENT(1, NO)
    assert system_exception("IDL:a:1.0", 1, 1) != system_exception("IDL:b:1.0", 1, 1)
    assert COMM_FAILURE() != "COMM_FAILURE"


@pytest.mark.parametrize(
    "error",
    [
        COMM_FAILURE(0x464A0114, MAYBE),
        NotFound(0, ["a"]),
        NotFound(why=1, rest_of_name=[]),
        Empty(),
        UnknownUserException("IDL:x:1.0", b"abc"),
    ],
)
def test_copies_and_pickles_are_equal(error: CorbaException) -> None:
    assert copy.copy(error) == error
    again = pickle.loads(pickle.dumps(error))
    assert again == error
    assert again.repository_id == error.repository_id
    assert str(again) == str(error)


def test_typed_user_exception() -> None:
    assert NotFound(0, ["a"]) == NotFound(why=0, rest_of_name=["a"])
    assert NotFound(0, ["a"]) != NotFound(0, ["b"])
    assert len({NotFound(0, ["a"]), NotFound(0, ["a"])}) == 1
    assert str(NotFound(0, ["a"])) == "NotFound: why=0, rest_of_name=['a']"
    assert str(Empty()) == "Empty"
    with pytest.raises(NotFound) as caught:
        raise NotFound(3, [])
    assert caught.value.why == 3


def test_user_exception_registry() -> None:
    assert user_exception_class("IDL:test/NotFound:1.0") is None
    register_exception(NotFound.repository_id, NotFound)
    assert user_exception_class("IDL:test/NotFound:1.0") is NotFound

    @dataclass(eq=False)
    class Again(UserException):
        repository_id: ClassVar[str] = "IDL:test/NotFound:1.0"

    register_exception(Again.repository_id, Again)
    assert user_exception_class("IDL:test/NotFound:1.0") is Again, "stubs generated again replace the old ones"
    with pytest.raises(TypeError, match="neither"):
        register_exception("IDL:test/Odd:1.0", ValueError)  # type: ignore[arg-type]


def test_a_system_exception_of_a_vendor_can_be_registered() -> None:
    class Vendor(COMM_FAILURE):
        pass

    assert Vendor.repository_id == COMM_FAILURE.repository_id
    assert type(system_exception(COMM_FAILURE.repository_id, 0, 1)) is COMM_FAILURE, "a subclass does not push its parent out"
    register_exception("IDL:vendor.test/Lost:1.0", Vendor)
    assert type(system_exception("IDL:vendor.test/Lost:1.0", 0, 1)) is Vendor

    class Mine(SystemException):
        repository_id = "IDL:vendor.test/Mine:1.0"

    assert type(system_exception("IDL:vendor.test/Mine:1.0", 0, 1)) is Mine


def test_unknown_user_exception_keeps_its_octets() -> None:
    error = UnknownUserException("IDL:x/Y:1.0", b"\x00\x01")
    assert (error.repository_id, error.body) == ("IDL:x/Y:1.0", b"\x00\x01")
    assert error == UnknownUserException("IDL:x/Y:1.0", b"\x00\x01")
    assert error != UnknownUserException("IDL:x/Y:1.0", b"\x00\x02")
    assert UserException.repository_id == ""
    assert "IDL:x/Y:1.0" in str(error)


def test_errors_without_a_status_may_have_run() -> None:
    assert ConnectionLost("cut").completed is MAYBE
    assert DeadlineExceeded("late").completed is MAYBE
    assert ConnectionLost("cut", completed=NO).completed is NO


@pytest.mark.parametrize("cls", [FailoverExhausted, DeadlineExceeded])
def test_every_attempt_is_told(cls: type[FailoverExhausted] | type[DeadlineExceeded]) -> None:
    attempts = [Attempt("host1:8002", ConnectFailed("refused"), 0.25), Attempt("host2:8002", OBJECT_NOT_EXIST(0, NO), 1.5)]
    error = cls("nobody answered", attempts=attempts, completed=NO)
    assert error.attempts == tuple(attempts)
    assert error.completed is NO
    text = str(error)
    assert text.startswith("nobody answered\n")
    assert "host1:8002: ConnectFailed: refused (after 0.250 s)" in text
    assert "host2:8002: OBJECT_NOT_EXIST: minor 0, COMPLETED_NO (after 1.500 s)" in text


@pytest.mark.parametrize(
    ("kind", "octets", "name"),
    [
        (Annotated[int, Long], b"\0\0", "MARSHAL_PassEndOfMessage"),
        (str, b"\0\0\0\2", "MARSHAL_PassEndOfMessage"),
        (Annotated[int, Long], bytes(5), "MARSHAL_MessageTooLong"),
        (bytes, b"\0\0\0\4abcd", "MARSHAL_SequenceIsTooLong"),
        (str, b"\0\0\0\6abcde\0", "MARSHAL_StringIsTooLong"),
        (str, b"\0\0\0\2ab", "MARSHAL_InvalidGIOPMessage"),
        (bool, b"\2", "MARSHAL_InvalidGIOPMessage"),
    ],
)
def test_octets_that_cannot_be_read_are_marshal_with_a_minor_code_by_name(kind: Any, octets: bytes, name: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec(kind).decode(octets, ByteOrder.BIG, limits=Limits(sequence_length=3, string_length=3))
    exception = refusal(caught.value, NO)
    assert isinstance(exception, MARSHAL)
    meaning = explain_minor("MARSHAL", exception.minor)
    assert meaning is not None
    assert (meaning.vendor, meaning.name) == ("omniORB", name)


def test_there_is_advice_for_every_system_exception() -> None:
    standard = {name for name in corba.__all__ if SystemException in getattr(getattr(corba, name), "__bases__", ())}
    assert standard == set(ADVICE)
