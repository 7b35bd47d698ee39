"""Interfaces: what operations an object has, and a stub that calls them.

An interface is a class whose methods are declarations. Their annotations say, as in `iiop.cdr`, how arguments and results lie on
the wire, so that the type checker, the codecs and the reader see one text:

    class Account(Interface):
        repository_id = "IDL:Bank/Account:1.0"

        @operation(raises=(Overdrawn,))
        def withdraw(self, amount: Annotated[int, Long]) -> Annotated[int, Long]: ...

`Account(invoker)` is a stub: calling `withdraw` hands the operation and its arguments to the invoker. Where that answers later,
the stub is an `AsyncInterface` of the same operations. It must not know how a request travels, nor whether it is repeated.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, ClassVar, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar

from iiop.cdr import Codec, Latin1String, Value, abstract_interface, arguments, cdr_type, codec
from iiop.cdr.speech import Speech
from iiop.exceptions import BAD_OPERATION, CompletionStatus, DecodeError, UnknownUserException, UserException, refusal
from iiop.giop.messages import SYSTEM_EXCEPTION, Body, Reply, ReplyStatus
from iiop.iop import IOR
from iiop.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "AbstractReference",
    "Answer",
    "AsyncInterface",
    "Interface",
    "Invoker",
    "Operation",
    "asynchronous",
    "operation",
    "without_prefix",
]

_REPOSITORY_ID = codec(Latin1String)
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")

Answer: TypeAlias = R | Awaitable[R]
"""What a method of a servant returns: the result, or an awaitable of it."""
AbstractReference: TypeAlias = Annotated[IOR | Value | None, abstract_interface(cdr_type(IOR))]
"""An argument or member whose type is an abstract interface: an object reference, or a value."""


def without_prefix(repository_id: str) -> str:
    """Return a repository id as ORBs wrote it before the OMG's own had the prefix `omg.org`; Interstage still does."""
    return repository_id.replace("IDL:omg.org/", "IDL:", 1)


class Invoker(Protocol):
    """Carry a call to an object and its answer back."""

    def invoke(self, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Return the result of the operation, or an awaitable of it."""


class Operation:
    """Know one operation of an interface: its name on the wire, its codecs, what it raises.

    Attributes:
        name: as in the request header; `_get_balance` for an attribute.
        method: of the interface and of servants; `name` unless that is another, or no name in Python.
        arguments: codec of the in and inout parameters, a tuple.
        results: codec of the result followed by the out parameters, a tuple.
        returns: how many values `results` has; one is returned bare, none as None.
        raises: user exceptions by repository id.
        oneway: no reply is expected.
        idempotent: running twice does what running once does, so that it may be repeated.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None,
        raises: tuple[type[UserException], ...],
        oneway: bool,
        idempotent: bool,
    ) -> None:
        self._function = function
        self.name = name or function.__name__
        self.method = function.__name__
        self.raises = {exception.repository_id: exception for exception in raises}
        self.oneway = oneway
        self.idempotent = idempotent

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    @functools.cached_property
    def _hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self._function, include_extras=True)

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """Return the signature of the declaration, without `self`."""
        declared = inspect.signature(self._function)
        return declared.replace(parameters=list(declared.parameters.values())[1:])

    @functools.cached_property
    def arguments(self) -> Codec:
        return Codec(arguments(self.name, *[(name, self._hints[name]) for name in self.signature.parameters]))

    @functools.cached_property
    def _returned(self) -> list[Any]:
        hint = self._hints["return"]
        if hint is type(None):
            return []
        if typing.get_origin(hint) is tuple and Ellipsis not in typing.get_args(hint):
            return list(typing.get_args(hint))
        return [hint]

    @functools.cached_property
    def returns(self) -> int:
        return len(self._returned)

    @functools.cached_property
    def results(self) -> Codec:
        return Codec(arguments(f"{self.name} result", *[(f"result{i}", hint) for i, hint in enumerate(self._returned)]))

    @functools.cached_property
    def raised(self) -> dict[str, Codec]:
        """Return the codec of each declared user exception, repository id and members, by repository id, old spelling too."""
        return {
            spelling: Codec(arguments(cls.__name__, ("repository_id", Latin1String), ("members", cls)))
            for repository_id, cls in self.raises.items()
            for spelling in (repository_id, without_prefix(repository_id))
        }

    def results_body(self, result: Any, speech: Speech) -> Body:
        """Return the body of a reply that carries what an implementation returned, to a request in that speech."""
        if self.returns == 1:
            result = (result,)
        elif self.returns == 0 and result is None:
            result = ()
        return Body.of(self.results, result, speech)

    def answer(self, reply: Reply | Body, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Return what a Reply without forwarding says; of one without exception its body is enough.

        Raises:
            UserException: as declared; `UnknownUserException` where it is not.
            SystemException: as the peer sent it; MARSHAL, DATA_CONVERSION and the like, COMPLETED_MAYBE, where status or body
                are not what is declared.
        """
        if isinstance(reply, Body):
            return self.result(reply, limits)
        try:
            if reply.reply_status is ReplyStatus.NO_EXCEPTION:
                return self.result(reply.body, limits)
            if reply.reply_status is ReplyStatus.USER_EXCEPTION:
                exception: Exception = self._user_exception(reply.body, limits)
            elif reply.reply_status is ReplyStatus.SYSTEM_EXCEPTION:
                exception = reply.body.decode(SYSTEM_EXCEPTION, exact=False, limits=limits).exception()
            else:
                raise DecodeError(f"{reply.reply_status.name} is no end of a call", path="reply_status")
        except DecodeError as error:
            raise refusal(error, CompletionStatus.COMPLETED_MAYBE) from error
        raise exception

    def result(self, body: Body, limits: Limits = DEFAULT_LIMITS) -> Any:
        """Return what the body of a reply without exception says.

        Raises:
            SystemException: MARSHAL, DATA_CONVERSION and the like, COMPLETED_MAYBE, where it is not what is declared.
        """
        try:
            values = body.decode(self.results, limits=limits)
        except DecodeError as error:
            raise refusal(error, CompletionStatus.COMPLETED_MAYBE) from error
        return values if len(values) > 1 else values[0] if values else None

    def _user_exception(self, body: Body, limits: Limits) -> UserException:
        repository_id, at = _REPOSITORY_ID.decode_from(body.octets, body.start, body.byte_order, limits)
        raised = self.raised.get(repository_id)
        if raised is None:
            return UnknownUserException(repository_id, body.octets[at:])
        exception = body.decode(raised, limits=limits)[1]
        assert isinstance(exception, UserException)
        return exception

    def exception_body(self, exception: UserException, speech: Speech, *, omg_prefix: bool = True) -> Body:
        """Return the body of a reply that carries one of the declared user exceptions, to a request in that speech.

        Its repository id goes with the prefix `omg.org` or without.
        """
        repository_id = exception.repository_id if omg_prefix else without_prefix(exception.repository_id)
        return Body.of(self.raised[repository_id], (repository_id, exception), speech)


@typing.overload
def operation(function: F, /) -> F: ...


@typing.overload
def operation(
    *,
    name: str | None = None,
    raises: tuple[type[UserException], ...] = (),
    oneway: bool = False,
    idempotent: bool = False,
) -> Callable[[F], F]: ...


def operation(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    raises: tuple[type[UserException], ...] = (),
    oneway: bool = False,
    idempotent: bool = False,
) -> Any:
    """Declare a method of an `Interface` as an IDL operation.

    A return annotation `tuple[A, B]` stands for a result and out parameters, in IDL order.

    Args:
        name: the name on the wire where it is not that of the method.
        raises: the IDL `raises` clause.
        oneway: no reply is expected.
        idempotent: the operation may run twice, so that it may be repeated where it is not known whether it ran.
    """

    def declare(function: F) -> F:
        declared = Operation(function, name=name, raises=raises, oneway=oneway, idempotent=idempotent)

        arity = len(inspect.signature(function).parameters) - 1

        @functools.wraps(function)
        def call(self: Interface, *args: Any, **kwargs: Any) -> Any:
            if kwargs or len(args) != arity:
                args = declared.signature.bind(*args, **kwargs).args
            return self._invoker.invoke(declared, args)

        call.operation = declared  # type: ignore[attr-defined]
        return typing.cast("F", call)

    return declare if function is None else declare(function)


class Interface:
    """Stand above all stubs; `CORBA::Object` itself.

    Attributes:
        repository_id: of the interface.
        abstract: whether it is an abstract interface; what is derived from it is none.
    """

    repository_id: ClassVar[str] = "IDL:omg.org/CORBA/Object:1.0"
    abstract: ClassVar[bool] = False

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    @operation(idempotent=True)
    def _is_a(self, repository_id: Annotated[str, "repository id"]) -> bool:
        """Tell whether the object has an interface."""
        raise BAD_OPERATION

    @operation(idempotent=True)
    def _non_existent(self) -> bool:
        """Tell whether the object is gone for good."""
        raise BAD_OPERATION

    @operation(idempotent=True)
    def _interface(self) -> IOR:
        """Return the InterfaceDef of the object, from an interface repository."""
        raise BAD_OPERATION

    @operation(idempotent=True)
    def _component(self) -> IOR:
        """Return the component that the object is a facet of, or nil."""
        raise BAD_OPERATION

    @operation(idempotent=True)
    def _repository_id(self) -> Annotated[str, "repository id"]:
        """Return the id of the most derived interface of the object."""
        raise BAD_OPERATION

    @classmethod
    @functools.cache
    def operations(cls) -> dict[str, Operation]:
        """Return every operation of the interface, inherited ones too, by each name it has on the wire."""
        found = {spelling: getattr(Interface, name).operation for spelling, name in _OTHER_SPELLINGS.items()}
        for base in reversed(cls.__mro__):
            for member in vars(base).values():
                declared = getattr(member, "operation", None)
                if isinstance(declared, Operation):
                    found[declared.name] = declared
        return found

    @classmethod
    @functools.cache
    def repository_ids(cls) -> tuple[str, ...]:
        """Return the ids of the interface and all it inherits from, the most derived first."""
        return tuple(base.repository_id for base in cls.__mro__ if issubclass(base, Interface))


_OTHER_SPELLINGS = {"_not_existent": "_non_existent", "_get_component": "_component"}
"""Names of operations in requests of others: ORBs of GIOP 1.0 and 1.1 (CORBA 3.3 part 2, clause 9.4.2.1), JacORB."""


def asynchronous(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]:
    """Declare that calls of an operation, a method of an `Interface`, are awaited."""
    return typing.cast("Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]", method)


class AsyncInterface:
    """Stand above the stubs whose calls are awaited.

        class AsyncAccount(AsyncInterface):
            withdraw = asynchronous(Account.withdraw)

    Args:
        invoker: its `invoke` is a coroutine function.
    """

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    _is_a = asynchronous(Interface._is_a)
    _non_existent = asynchronous(Interface._non_existent)
