"""Hearts of nodes: who is silent for too long is taken for failed, as a cluster system does with a server that loops or hangs.

It must not know clusters, nor what becomes of who failed.

Source: High Availability System Guide B1WS-1092-03ENZ0, 2.2: system loops are monitored, too. How long a silence is, is ours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from iiop_lab.node import Node, NodeStateError
from iiop_lab.work_unit import State

__all__ = ["Heartbeat"]


class Heartbeat:
    """Listen to a node, in a thread, from `start` to `stop`.

    Args:
        name: of the thread.
        node: returns whose heart to listen to, None for nobody's.
        seconds: of silence that are too many.
        lost: called in the thread with a node that was silent for so long, again and again while it is.
    """

    def __init__(self, name: str, node: Callable[[], Node | None], seconds: float, lost: Callable[[Node], None]) -> None:
        self._node = node
        self._seconds = seconds
        self._lost = lost
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat of {name}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more; who is being listened to gets the time that it has."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def beats(self, node: Node) -> bool:
        """Tell whether a node answers; one that was stopped, or has died, is not silent: that is known by other means."""
        if node.state is State.HUNG:
            return False
        try:
            node.queues(self._seconds)
        except NodeStateError:
            return node.state not in (State.RUNNING, State.HUNG)
        return True

    def _run(self) -> None:
        heard, last = time.monotonic(), None
        while not self._stopped.wait(self._seconds / 4):
            node = self._node()
            if node is None or node is not last or self.beats(node):
                heard, last = time.monotonic(), node
            elif time.monotonic() - heard >= self._seconds:
                self._lost(node)
                heard = time.monotonic()
