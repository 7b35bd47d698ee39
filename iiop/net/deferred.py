"""Deferred calls of blocking stubs: the request goes out now, its result is asked for later.

    balance = defer(account.balance)
    ...                                # other work, other calls
    balance.result()

There is no thread: the reply waits in the socket, or is received by whoever calls over the same connection. What goes wrong is
dealt with when the result is asked for, as the policy of the reference says. A task is what an asyncio client has for this.

Source: `CORBA::Request::send_deferred`, `poll_response`, `get_response` (CORBA 3.3 part 1, clause 10.2.3 ff.).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

from iiop.exceptions import BAD_INV_ORDER
from iiop.idl import Operation
from iiop.net.reference import Begun, Reference

__all__ = ["Deferred", "defer"]

P = ParamSpec("P")
R = TypeVar("R")


class Deferred(Generic[R]):
    """Wait for the result of a call that has begun; one thread at a time. `defer` makes them.

    One that is dropped without `result` or `cancel` keeps a connection taken, and Python warns of it (ResourceWarning).
    """

    def __init__(self, reference: Reference, begun: Begun) -> None:
        self._reference = reference
        self._begun: Begun | None = begun
        self._result: R
        self._error: Exception | None = None

    def done(self) -> bool:
        """Tell whether the reply, or the end of the connection, is here; as `poll_response`."""
        return self._begun is None or self._begun.sent is None or self._begun.sent.has_answer()

    def result(self) -> R:
        """Return the result; wait for it if need be, and try again where the policy allows. Each further time is the same.

        Raises:
            As the method of the stub; BAD_INV_ORDER after `cancel`, or where an interrupt has ended the waiting.
        """
        begun, self._begun = self._begun, None
        if begun is not None:
            self._error = BAD_INV_ORDER()  # for who is interrupted, and asks again
            try:
                self._result, self._error = self._reference.end(begun), None
            except Exception as error:
                self._error = error
        if self._error is not None:
            raise self._error
        return self._result

    def cancel(self) -> None:
        """Give the call up: the server is sent a CancelRequest, and may run it nevertheless."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self._error = BAD_INV_ORDER()
            if begun.sent is not None:
                begun.sent.give_up()

    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        if self._begun is not None and self._begun.sent is not None:
            warn(f"nobody asked for the result of {self._begun.operation.name}", ResourceWarning, source=self)


def defer(method: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[R]:
    """Send the request that calling a method of a blocking stub would send, and do not wait for its reply.

    A reference that is yet to be acquired is acquired first. The deadline of the policy counts from here.

    Args:
        method: as `account.withdraw`, of an operation that is not oneway.
        args, kwargs: its arguments.

    Raises:
        TypeError: no such method, or arguments that it does not take.
        EncodeError: the arguments do not fit the operation.
    """
    operation, stub = getattr(method, "operation", None), getattr(method, "__self__", None)
    invoker = getattr(stub, "_invoker", None)
    if not isinstance(operation, Operation) or not isinstance(invoker, Reference) or operation.oneway:
        raise TypeError(f"{method!r} is no method of a blocking stub that has a result to wait for")
    return Deferred(invoker, invoker.begin(operation, operation.signature.bind(*args, **kwargs).args))
