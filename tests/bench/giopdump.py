"""giopdump.*: our dump of captures against tshark's, and its memory; the capture is recorded here.

It holds 100,000 messages of CosNaming between omniORBpy and omniNames: names bound, resolved, asked for in vain, unbound.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy

from iiop_lab.pcap import Traffic
from tests.bench.harness import Measured, Sides, row
from tests.peers import OmniClient, name, omni_names
from tests.recorder import recorded

MESSAGES = 100_000
NAMES = 1000
GIOPDUMP = [sys.executable, "-c", "import sys; from iiop_tools.giopdump.command import main; sys.exit(main())"]
MEASURED = """
import re, sys
from iiop_tools.giopdump.command import main
code = main()
sys.stderr.write(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
sys.exit(code)
"""
"""giopdump, which tells at its end how many kilobytes it had in memory at most; what a parent sees has its own in it."""
MB = 1_000_000
_folder = tempfile.TemporaryDirectory()


@functools.cache
def capture() -> Path:
    """Record the capture, and return where it is."""
    path, traffic = Path(_folder.name, "names.pcap"), Traffic()
    with (
        omni_names(Path(_folder.name, "names")) as service,
        recorded((service.host, service.port), traffic) as (host, port),
        OmniClient() as client,
    ):
        root = client.naming(f"corbaloc::1.2@{host}:{port}/NameService", checked=False)
        root.bind_many(NAMES)
        for _ in range(NAMES):
            root.outcome("resolve", name("none"))
        root.time_resolves(NAMES, count=MESSAGES // 2 - 3 * NAMES)
        root.unbind(NAMES)
    traffic.write(path)
    return path


def command(*arguments: str | Path) -> Callable[[], object]:
    """Return what runs a command and lets its output go nowhere."""
    if shutil.which(str(arguments[0])) is None:
        raise FileNotFoundError(f"{arguments[0]} is not installed")
    return functools.partial(
        subprocess.run, arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600
    )


@row("giopdump.json", unit="s", target=1 / 8, turns=2)
def as_json() -> Sides:
    """100,000 CosNaming messages as JSON: giopdump --json, tshark -T ek"""
    return command(*GIOPDUMP, "--json", capture()), command("tshark", "-r", capture(), "-T", "ek")


@row("giopdump.listing", unit="s", target=1 / 5, turns=4)
def listing() -> Sides:
    """100,000 CosNaming messages, a line each: giopdump, tshark"""
    return command(*GIOPDUMP, capture()), command("tshark", "-r", capture())


@row("giopdump.memory_100MB", unit="B", target=1.2)
def memory_100() -> Sides:
    """most memory that giopdump --json takes for a capture of 100 MB, and for one of 10 MB"""
    return Measured(peak(100 * MB)), Measured(peak(10 * MB))


@row("giopdump.memory_1000MB", unit="B", target=1.2)
def memory_1000() -> Sides:
    """most memory that giopdump --json takes for a capture of 1000 MB, and for one of 10 MB"""
    return Measured(peak(1000 * MB)), Measured(peak(10 * MB))


@functools.cache
def peak(size: int) -> float:
    """Return the most octets that giopdump has in memory for a capture of that size, handed over on standard input."""
    octets = numpy.frombuffer(capture().read_bytes(), numpy.uint8).copy()
    header, packets = octets[:24].tobytes(), octets[24:]
    hosts = _second_octets(packets)
    program = [sys.executable, "-c", MEASURED, "--json", "-"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(header)
        left = size
        while left > 0:  # the same again, from other clients
            part = packets if left >= len(packets) else packets[: _end_of_packet(packets, left)]
            process.stdin.write(part.tobytes())
            left -= len(packets)
            packets[hosts] += 1
        process.stdin.close()
        told = process.stderr.read()
    assert process.returncode == 0, told
    return float(told) * 1024


def _starts(packets: numpy.ndarray) -> list[int]:
    """Return where the records of packets begin."""
    octets, starts, at = packets.tobytes(), [], 0
    while at < len(octets):
        starts.append(at)
        at += 16 + int.from_bytes(octets[at + 8 : at + 12], "little")
    return starts


def _second_octets(packets: numpy.ndarray) -> numpy.ndarray:
    """Return where the second octets of the addresses in all packets are: Ethernet, IPv4."""
    starts = numpy.array(_starts(packets)) + 16 + 14
    return numpy.concatenate((starts + 13, starts + 17))


def _end_of_packet(packets: numpy.ndarray, size: int) -> int:
    return max(start for start in _starts(packets) if start <= size)
