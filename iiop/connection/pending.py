"""Requests of one direction that wait for their reply, and those of them that were cancelled."""

from __future__ import annotations

from iiop.giop.messages import LocateReply, LocateRequest, Message, MessageType, Reply, Request

__all__ = ["Pending", "answered_by", "expects_reply"]


class Pending:
    """Keep requests without a reply by their id.

    A cancelled request does not wait any more; a reply may come, but need not. At most `most` cancelled ones are remembered, the
    oldest is forgotten first.

    Attributes:
        waiting: kinds of the requests that wait, by id, the oldest first.
        cancelled: kinds of those that were cancelled.
    """

    __slots__ = ("cancelled", "most", "waiting")

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: dict[int, MessageType] = {}
        self.cancelled: dict[int, MessageType] = {}

    def __contains__(self, request_id: int) -> bool:
        return request_id in self.waiting or request_id in self.cancelled

    @property
    def full(self) -> bool:
        """Tell whether no more requests may wait."""
        return len(self.waiting) >= self.most

    def add(self, message: Request | LocateRequest) -> None:
        """Wait for the reply to a request, which may have the id of a cancelled one."""
        if self.cancelled:
            self.cancelled.pop(message.request_id, None)
        self.waiting[message.request_id] = MessageType.Request if isinstance(message, Request) else MessageType.LocateRequest

    def cancel(self, request_id: int) -> None:
        """Stop waiting for a reply."""
        if len(self.cancelled) >= self.most:
            del self.cancelled[next(iter(self.cancelled))]
        self.cancelled[request_id] = self.waiting.pop(request_id)

    def settle(self, request_id: int) -> None:
        """Forget a request that was answered."""
        if self.waiting.pop(request_id, None) is None:
            del self.cancelled[request_id]


def expects_reply(message: Message) -> bool:
    """Tell whether a message is a request that is to be answered."""
    return message.response_expected if isinstance(message, Request) else isinstance(message, LocateRequest)


def answered_by(message: Reply | LocateReply) -> MessageType:
    """Return the kind of request that a reply answers."""
    return MessageType.Request if isinstance(message, Reply) else MessageType.LocateRequest
