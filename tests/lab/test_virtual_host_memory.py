"""Memory of the virtual host over many calls, and over many connections; `make vhost-soak` makes a million."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest

from tests import procfs
from tests.bench.virtual_host import HELD, at_a_time, echo_server, our_virtual_host, question

CALLS = int(os.environ.get("VHOST_CALLS", "40000"))
ROOM = 2 * 1024 * 1024
"""Octets that an allocator may keep, however many calls."""


@pytest.mark.timeout(60 + CALLS // 1000)
def test_memory_is_steady_over_calls() -> None:
    with echo_server() as (_, one), echo_server() as (_, two), our_virtual_host(one, two) as vhost:
        for _ in range(2):  # the second time all is allocated that ever will be
            with contextlib.ExitStack() as stack:
                at_a_time(stack, vhost.port).seconds(CALLS // 10)
        before, passed = vhost.ask("memory"), 0
        while passed < CALLS:
            with contextlib.ExitStack() as stack:  # clients come and go
                at_a_time(stack, vhost.port).seconds(CALLS // 5)
            passed += CALLS // 5
        grown = vhost.ask("memory") - before
        print(f"{passed} calls: {before} octets before, {grown:+} after")
        assert grown < ROOM


def test_two_thousand_connections_are_held() -> None:
    with echo_server() as (_, port), our_virtual_host(port) as vhost, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(("127.0.0.1", vhost.port), 30)) for _ in range(HELD)]
        for _ in range(2):
            for sock in socks:
                sock.sendall(question())
            for sock in socks:
                assert sock.recv(65536)
        assert vhost.ask("connections") == HELD
        descriptors = procfs.descriptors(vhost.process.pid)
        assert descriptors >= 2 * HELD
        stack.close()
        while vhost.ask("connections"):
            pass
        while procfs.descriptors(vhost.process.pid) > 100:
            pass
