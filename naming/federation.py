"""Contexts of other servers: a call whose name leads into one is carried on there, with the rest of the name.

The model decides where a name leaves this server, by raising CannotProceed with the foreign context and the rest; this module
calls the same operation on that context. What the other server answers is the answer, exceptions included. Where it does not
answer, the caller gets the CannotProceed and may go on itself; if the change may have been made, COMM_FAILURE or TIMEOUT.

Every call through another server makes the name shorter, so contexts that lead in a circle end with the name. What they may cost
meanwhile is bounded by `Limits.proceeding`: one call too many is not carried on.

Source: OMG Naming Service 1.3 (formal/2004-10-03), clause 2.3, "CannotProceed"; the answers of profile omninames are those seen.
"""

from __future__ import annotations

import logging
from typing import Any

from iiop.exceptions import (
    COMM_FAILURE,
    TIMEOUT,
    TRANSIENT,
    CompletionStatus,
    CorbaException,
    DeadlineExceeded,
    FailoverExhausted,
    SystemException,
    TransportError,
)
from iiop.failover import FailoverPolicy
from iiop.failover.classify import completion_of
from iiop.idl import Operation
from iiop.iop import IOR
from iiop.limits import Limits
from iiop.net.aio_client import AsyncClient
from naming.model import Profile
from naming.types import CannotProceed

__all__ = ["Federation"]

log = logging.getLogger("naming.federation")

SILENT = 256
"""Contexts of which it is remembered that they do not answer, by their hashes: references may be large."""


class Federation:
    """Carry calls on in contexts of other servers.

    Args:
        profile: `omninames` tells a server that does not answer as a system exception.
        limits: `proceeding` calls at a time, each for `proceed_time` seconds.
    """

    def __init__(self, profile: Profile, limits: Limits) -> None:
        self._profile = profile
        self._limit = limits.proceeding
        self._under_way = 0
        self._full = False
        self._silent: dict[int, None] = {}
        time = limits.proceed_time
        policy = FailoverPolicy(deadline=time, attempt_timeout=time, connect_timeout=time, rounds=1, refresh_interval=None)
        self._client = AsyncClient(policy=policy, limits=limits)
        self._client.report = lambda event: None  # what peers name may not fill the log; see `_log_silent`

    def close(self) -> None:
        """Close the connections to other servers."""
        self._client.close()

    async def proceed(self, stopped: CannotProceed, operation: Operation, arguments: tuple[Any, ...]) -> Any:
        """Call an operation on a foreign context, and return its result.

        Args:
            stopped: where, and the rest of the name.
            operation: of NamingContext, its first argument a name.
            arguments: the others.

        Raises:
            CorbaException: what the other server answered.
            CannotProceed: it does not answer, but nothing has been changed; or too many calls are under way.
            COMM_FAILURE, TIMEOUT: it does not answer, and what was to be changed may have been.
            TRANSIENT: in profile omninames, instead of CannotProceed.
        """
        if self._under_way >= self._limit:
            if not self._full:
                log.warning("%s not carried on in another server: more than the limit proceeding=%d", operation.name, self._limit)
            self._full = True
            raise stopped
        self._under_way += 1
        try:
            result = await self._client.invoke(stopped.cxt, operation, (stopped.rest_of_name, *arguments))
        except (TransportError, DeadlineExceeded, FailoverExhausted) as error:
            self._log_silent(stopped.cxt, operation, error)
            may_have_run = completion_of(error) is not CompletionStatus.COMPLETED_NO and not operation.idempotent
            if may_have_run or self._profile is Profile.omninames:
                raise _as_system_exception(error) from error
            raise stopped from error
        except CorbaException:
            self._silent.pop(hash(stopped.cxt), None)
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._full = False
        self._silent.pop(hash(stopped.cxt), None)
        return result

    def _log_silent(self, context: IOR, operation: Operation, error: Exception) -> None:
        """Log that a context does not answer, once until it has answered again, or `SILENT` others have not."""
        if hash(context) not in self._silent:
            log.warning("%s could not be carried on in another server: %s", operation.name, error)
            if len(self._silent) >= SILENT:
                del self._silent[next(iter(self._silent))]
            self._silent[hash(context)] = None


def _as_system_exception(error: Exception) -> SystemException:
    completed = completion_of(error)
    if isinstance(error, DeadlineExceeded) or isinstance(error.__cause__, DeadlineExceeded):
        return TIMEOUT(0, completed)
    return TRANSIENT(0, completed) if completed is CompletionStatus.COMPLETED_NO else COMM_FAILURE(0, completed)
