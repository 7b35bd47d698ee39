"""Answers that stand: a request that was answered before, with another id, is answered without being read.

Whoever keeps an answer here knows that it stands for everybody, and clears it before it does not any more. It must not know what
requests mean. Only a request without service contexts is kept, because what a connection is told by those is heard by reading.

Invariant: at most `most` answers are kept, each of at most `size` octets, as many in its request.

Source: CORBA 3.3 part 2, clause 9.4.2.1, 9.4.3.1: up to the request id, and behind it, a message does not depend on it.
"""

from __future__ import annotations

from iiop.cdr.speech import Speech
from iiop.connection.prepared import ID_AT
from iiop.giop.messages import Reply, Request
from iiop.giop.wire import encode

__all__ = ["ANSWERS", "ANSWER_SIZE", "StandingAnswers"]

ANSWERS = 4096
ANSWER_SIZE = 2048

_MINOR = 5
"""Where a message tells its minor version."""


class StandingAnswers:
    """Keep the octets of replies by the octets of their requests, all but the ids, and by how those carry characters.

    Args:
        most: answers kept; the oldest is forgotten first.
        size: octets of the longest message kept.
    """

    def __init__(self, most: int = ANSWERS, size: int = ANSWER_SIZE) -> None:
        self._most = most
        self._size = size
        self._answers: dict[tuple[bytes, Speech], tuple[bytes, bytes]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()

    def keep(self, request: Request, reply: Reply) -> None:
        """Keep the answer to a request as it was received; one that is too long, or has service contexts, is not kept.

        Raises:
            EncodeError: a member of the reply does not fit its type.
        """
        octets = request.body.octets
        if request.service_context or reply.service_context or not request.response_expected or len(octets) > self._size:
            return
        answer = encode(reply)
        if len(answer) <= self._size:
            if len(self._answers) >= self._most:
                del self._answers[next(iter(self._answers))]
            start = ID_AT[request.version.minor]
            question = octets[:start] + octets[start + 4 :], request.body.speech
            self._answers[question] = answer[:start], answer[start + 4 :]

    def answer(self, octets: bytes, speeches: tuple[Speech, Speech, Speech]) -> bytes | None:
        """Return the reply to a whole message, or None.

        Args:
            octets: whatever arrived.
            speeches: how characters travel, by minor version of GIOP.
        """
        minor = octets[_MINOR] if len(octets) > _MINOR else 3
        if minor > 2:
            return None
        start = ID_AT[minor]
        answer = self._answers.get((octets[:start] + octets[start + 4 :], speeches[minor]))
        return None if answer is None else octets[start : start + 4].join(answer)
