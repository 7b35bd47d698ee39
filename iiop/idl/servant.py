"""Servants: what answers requests, without a socket.

An `ObjectAdapter` maps object keys to servants and turns a Request into a Reply. A servant says which `Interface` it implements
and has a method for every operation; what it raises becomes a reply, and its traceback stays in our log. A method may return an
awaitable of its result, as an `async def` does; then the reply comes later, and others meanwhile. System exceptions are raised
for the one who knows the peer: it answers with them (`failure`), and can say whom it refused.

Source: CORBA 3.3 part 2, clause 9.4.3 and 9.4.6; the minor codes are the OMG's (part 1, annex A).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, ClassVar

from iiop.cdr.code_sets import NO_CODE_SET
from iiop.connection import StandingAnswers
from iiop.exceptions import (
    BAD_OPERATION,
    CODESET_INCOMPATIBLE,
    INTF_REPOS,
    OBJECT_NOT_EXIST,
    UNKNOWN,
    CompletionStatus,
    DecodeError,
    SystemException,
    UserException,
    refusal,
    system_exception,
)
from iiop.giop.messages import (
    EMPTY,
    GIOP_1_2,
    Body,
    LocateReply,
    LocateRequest,
    LocateStatus,
    Reply,
    ReplyStatus,
    Request,
    TargetAddress,
    exception_body,
)
from iiop.idl.interface import Interface, Operation, without_prefix
from iiop.iop import IOR, IOR_CODEC, NIL, ProfileId, TaggedProfile
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import decode_profile

__all__ = ["CarryOut", "ForwardRequest", "ObjectAdapter", "Servant", "carry_out", "object_key_of"]

log = logging.getLogger("iiop.servant")

OMG_UNKNOWN_OBJECT = 0x4F4D0001
OMG_UNKNOWN_OPERATION = 0x4F4D0002
OMG_UNKNOWN_USER_EXCEPTION = 0x4F4D0001
OMG_CONTEXT_NOT_SUPPORTED = 0x4F4D0002
OMG_NO_INTERFACE_REPOSITORY = 0x4F4D0001
_NO = CompletionStatus.COMPLETED_NO


class Servant:
    """Implement an interface: subclass, set `interface`, write a method for each operation, `def` or `async def`.

    Attributes:
        interface: what the object can be asked.
        omg_prefix: whether the repository ids it sends, those of exceptions among them, have the prefix `omg.org`; ids it is
            asked about may always have it or not.
    """

    interface: ClassVar[type[Interface]] = Interface
    omg_prefix: bool = True

    def _is_a(self, repository_id: str) -> bool:
        return without_prefix(repository_id) in map(without_prefix, self.interface.repository_ids())

    def _non_existent(self) -> bool:
        return False

    def _interface(self) -> IOR:
        raise INTF_REPOS(OMG_NO_INTERFACE_REPOSITORY, _NO)

    def _component(self) -> IOR:
        return NIL

    def _repository_id(self) -> str:
        repository_id = self.interface.repository_id
        return repository_id if self.omg_prefix else without_prefix(repository_id)


def object_key_of(target: TargetAddress) -> bytes:
    """Return the object key in any form of target address.

    Raises:
        OBJECT_NOT_EXIST: the profile is none of IIOP, or cannot be read.
    """
    value = target.value
    if isinstance(value, bytes):
        return value
    try:
        profile = value if isinstance(value, TaggedProfile) else value.ior.profiles[value.selected_profile_index]
        if profile.tag == ProfileId.TAG_INTERNET_IOP:
            return decode_profile(profile.profile_data).object_key
    except (DecodeError, IndexError):
        pass
    raise OBJECT_NOT_EXIST(OMG_UNKNOWN_OBJECT, _NO)


class ForwardRequest(Exception):
    """Say, out of `locate_servant`, that an object is elsewhere; as PortableServer::ForwardRequest."""

    def __init__(self, forward_reference: IOR) -> None:
        super().__init__(forward_reference)
        self.forward_reference = forward_reference


CarryOut = Callable[[Servant, Operation, Request, Limits], Reply | Awaitable[Reply]]


class ObjectAdapter:
    """Map object keys to servants, and requests to replies.

    Attributes:
        locate_servant: asked for keys that are not in the map; returns a servant or None. A Naming Service finds its contexts so.
            It may raise ForwardRequest: then the client is told to go there.
        carry_out: calls the servant, as the function of that name does, perhaps elsewhere (`iiop.net.servants`).
        standing: answers that may be given again without asking, for the server.
    """

    standing: StandingAnswers | None = None

    def __init__(
        self, *, locate_servant: Callable[[bytes], Servant | None] | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._servants: dict[bytes, Servant] = {}
        self.carry_out: CarryOut = carry_out
        self.locate_servant = locate_servant
        self._limits = limits

    def activate(self, object_key: bytes, servant: Servant) -> None:
        """Let the servant answer for a key."""
        self._servants[object_key] = servant

    def deactivate(self, object_key: bytes) -> None:
        """Let nobody answer for a key any more.

        Raises:
            KeyError: nobody does.
        """
        del self._servants[object_key]

    def servant(self, object_key: bytes) -> Servant:
        """Return who answers for a key.

        Raises:
            OBJECT_NOT_EXIST: nobody does.
            ForwardRequest: the object is elsewhere.
            UNKNOWN: `locate_servant` failed.
        """
        servant = self._servants.get(object_key)
        if servant is None and self.locate_servant is not None:
            try:
                servant = self.locate_servant(object_key)
            except (SystemException, ForwardRequest):
                raise
            except Exception as error:
                log.exception("looking for the servant of key %r failed", object_key[:64])
                raise UNKNOWN(0, _NO) from error
        if servant is None:
            raise OBJECT_NOT_EXIST(OMG_UNKNOWN_OBJECT, _NO)
        return servant

    def locate(self, request: LocateRequest) -> LocateReply:
        """Answer a LocateRequest.

        Where looking for the servant failed, GIOP 1.2 says so; before, the answer is that the object is here, and the request
        that follows is told.
        """
        status, body = LocateStatus.OBJECT_HERE, EMPTY
        try:
            self.servant(object_key_of(request.target))
        except OBJECT_NOT_EXIST:
            status = LocateStatus.UNKNOWN_OBJECT
        except ForwardRequest as elsewhere:
            status, body = LocateStatus.OBJECT_FORWARD, Body.of(IOR_CODEC, elsewhere.forward_reference)
        except SystemException as exception:
            if request.version >= GIOP_1_2:
                status, body = LocateStatus.LOC_SYSTEM_EXCEPTION, exception_body(exception)
        return LocateReply(request.request_id, status, body, request.version, request.byte_order)

    def handle(self, request: Request) -> Reply | Awaitable[Reply]:
        """Run a request and return its reply, which a oneway's sender does not want; later, if the servant answers later.

        Raises:
            SystemException: it is refused, by the adapter or the servant, also later; `__cause__` may say more.
        """
        if request.body.speech.char == NO_CODE_SET:
            raise CODESET_INCOMPATIBLE(OMG_CONTEXT_NOT_SUPPORTED, _NO)
        try:
            servant = self.servant(object_key_of(request.target))
        except ForwardRequest as elsewhere:
            return _reply(request, ReplyStatus.LOCATION_FORWARD, Body.of(IOR_CODEC, elsewhere.forward_reference))
        operation = servant.interface.operations().get(request.operation)
        if operation is None:
            raise BAD_OPERATION(OMG_UNKNOWN_OPERATION, _NO)
        return self.carry_out(servant, operation, request, self._limits)


def carry_out(servant: Servant, operation: Operation, request: Request, limits: Limits) -> Reply | Awaitable[Reply]:
    """Call the method of a servant and return the reply, or an awaitable of it if the method returns one.

    Raises:
        SystemException: the arguments cannot be read, or the servant raised it.
    """
    try:
        arguments: tuple[Any, ...] = request.body.decode(operation.arguments, limits=limits)
    except DecodeError as error:
        raise refusal(error, _NO) from error
    try:
        result = getattr(servant, operation.method)(*arguments)
        if hasattr(result, "__await__"):
            return _ReplyLater(result, servant, operation, request)
        return _reply(request, ReplyStatus.NO_EXCEPTION, operation.results_body(result, request.body.speech))
    except (Exception, SystemExit) as error:  # that is the servant's, not the server's
        return _reply_raised(error, servant, operation, request)


class _ReplyLater:
    """Wait for a result, and make it a reply.

    A request may be cancelled before anybody has begun to wait: then a coroutine is closed, of which Python would complain
    otherwise.
    """

    def __init__(self, result: Awaitable[Any], servant: Servant, operation: Operation, request: Request) -> None:
        self._result = result
        self._servant = servant
        self._operation = operation
        self._request = request

    def __await__(self) -> Generator[Any, None, Reply]:
        operation, request = self._operation, self._request
        try:
            result = yield from self._result.__await__()
            return _reply(request, ReplyStatus.NO_EXCEPTION, operation.results_body(result, request.body.speech))
        except (Exception, SystemExit) as error:
            return _reply_raised(error, self._servant, operation, request)

    def __del__(self) -> None:
        if isinstance(self._result, Coroutine):
            self._result.close()


def _reply_raised(error: Exception | SystemExit, servant: Servant, operation: Operation, request: Request) -> Reply:
    """Return the reply to a request whose servant raised, or whose result is of another type; raise system exceptions."""
    if isinstance(error, SystemException):
        raise _as_of_this_call(error)
    if isinstance(error, UserException):
        if error.repository_id in operation.raises:
            body = operation.exception_body(error, request.body.speech, omg_prefix=servant.omg_prefix)
            return _reply(request, ReplyStatus.USER_EXCEPTION, body)
        log.error("%s raised %r, which it does not declare", operation.name, error)
        return failure(request, UNKNOWN(OMG_UNKNOWN_USER_EXCEPTION, CompletionStatus.COMPLETED_MAYBE))
    log.error("%s failed in %s", operation.name, type(servant).__name__, exc_info=error)
    return failure(request, UNKNOWN(0, CompletionStatus.COMPLETED_MAYBE))


def _reply(request: Request, status: ReplyStatus, body: Body) -> Reply:
    return Reply(request.request_id, status, (), body, request.version, request.byte_order)


def _as_of_this_call(exception: SystemException) -> SystemException:
    """Return what a servant raised as its own caller must see it.

    That a call which the servant made to another object has not run says nothing of the servant's own.
    """
    if not exception.received or exception.completed is not CompletionStatus.COMPLETED_NO:
        return exception
    return system_exception(exception.repository_id, exception.minor, CompletionStatus.COMPLETED_MAYBE)


def failure(request: Request, exception: SystemException) -> Reply:
    """Return the reply that answers a request with a system exception."""
    body = exception_body(exception)
    return Reply(request.request_id, ReplyStatus.SYSTEM_EXCEPTION, (), body, request.version, request.byte_order)
