"""tshark reads a pcap file: what it takes for GIOP, and what it finds wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def tshark(path: Path, shown: str, *fields: str) -> list[tuple[str, ...]]:
    """Return the fields of the packets that a display filter shows; without tshark, CI fails and others skip."""
    if (program := shutil.which("tshark")) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("tshark is not installed")
    command = [program, "-r", str(path), "-Y", shown, "-T", "fields", *[option for name in fields for option in ("-e", name)]]
    # Checksums are looked at, so that they have to be right.
    command += ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


def complaints(path: Path) -> list[tuple[str, ...]]:
    """Return what tshark finds wrong with TCP, IP or the octets themselves."""
    wrong = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.lost_segment"
    wrong += " || tcp.analysis.retransmission || tcp.analysis.out_of_order || tcp.analysis.ack_lost_segment"
    return tshark(path, wrong, "frame.number", "_ws.col.Info")
