"""Which answers of a Naming Service stand until something changes: clients ask for few names, and often.

It must not know what a name stands for: the answers are its contexts', and every change of the model throws all of them away.
Exceptions, object groups, and names that lead into other servers, are asked anew each time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from iiop.connection import StandingAnswers
from iiop.exceptions import EncodeError
from iiop.giop.messages import Reply, ReplyStatus, Request
from iiop.idl import ObjectAdapter, Servant
from iiop.limits import DEFAULT_LIMITS, Limits
from naming.changes import ContextId
from naming.groups import Rotation
from naming.model import NamingModel

__all__ = ["NamingAdapter"]

_ASKED_OFTEN = frozenset(("resolve", "resolve_str", "_is_a"))
"""Operations whose answers depend on the model alone."""


class NamingAdapter(ObjectAdapter):
    """Let answers of contexts stand."""

    standing: StandingAnswers

    def __init__(self, *, locate_servant: Callable[[bytes], Servant | None], limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(locate_servant=locate_servant, limits=limits)
        self.standing = StandingAnswers()
        self._model: NamingModel | None = None
        self._rotation = Rotation()

    def serve(self, model: NamingModel | None, rotation: Rotation | None = None) -> None:
        """Say what the contexts that `locate_servant` finds are of; without, everything is asked anew.

        Args:
            model: what they are of.
            rotation: what chooses the members of its groups.
        """
        self._model = model
        self._rotation = rotation or Rotation()
        self.standing.clear()
        if model is not None:
            model.changed = self.standing.clear

    def activate(self, object_key: bytes, servant: Servant) -> None:
        super().activate(object_key, servant)
        self.standing.clear()

    def handle(self, request: Request) -> Reply | Awaitable[Reply]:
        chosen = self._rotation.chosen
        reply = super().handle(request)
        if (
            request.operation in _ASKED_OFTEN
            and isinstance(reply, Reply)
            and reply.reply_status is ReplyStatus.NO_EXCEPTION
            and self._rotation.chosen == chosen
            and self._is_context(request.target.value)
        ):
            with contextlib.suppress(EncodeError):  # the server says so when it sends it
                self.standing.keep(request, reply)
        return reply

    def _is_context(self, object_key: object) -> bool:
        """Tell whether a target is the key of a context: iterators end by themselves, what was activated answers as it likes."""
        return (
            self._model is not None
            and isinstance(object_key, bytes)
            and object_key not in self._servants
            and self._model.exists(ContextId(object_key.decode("latin-1")))
        )
