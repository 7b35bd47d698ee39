"""A request that was sent over a connection of a pool, and whose reply nobody waits for yet.

It must not know operations or policies. Whoever holds one ends it, by `finish` or `give_up`, so that the connection goes back.
"""

from __future__ import annotations

from dataclasses import dataclass

from iiop.exceptions import CompletionStatus, ConnectionLost, IIOPError
from iiop.net.blocking import Answer, BlockingConnection
from iiop.net.pool import ConnectionPool, Line
from iiop.profile import Version

__all__ = ["Sent"]


@dataclass(frozen=True, slots=True)
class Sent:
    """Keep what finds the reply to a request.

    Attributes:
        used: whether the connection had been used before.
        deadline: seconds of `time.monotonic`.
    """

    pool: ConnectionPool
    line: Line
    connection: BlockingConnection
    used: bool
    request_id: int
    version: Version
    deadline: float

    def has_answer(self) -> bool:
        """Tell whether `finish` takes no time."""
        return self.connection.has_answer(self.request_id)

    def finish(self) -> Answer:
        """Return the reply.

        Raises:
            ConnectionLost, DeadlineExceeded: there is none.
        """
        try:
            return self.connection.finish(self.request_id, self.version, self.deadline)
        except IIOPError:
            raise
        except BaseException:
            self.connection.retire()
            raise
        finally:
            self.pool.give_back(self.line, self.connection)

    def give_up(self) -> None:
        """Want no reply any more."""
        try:
            self.connection.give_up(self.request_id, self.version)
        finally:
            self.pool.give_back(self.line, self.connection)

    def may_go_again(self, error: IIOPError) -> bool:
        """Tell whether it has not run because the server had closed an idle connection in order."""
        return self.used and isinstance(error, ConnectionLost) and error.completed is CompletionStatus.COMPLETED_NO
