"""The captured messages as TCP segments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from iiop_lab.pcap import Conversation, Traffic

VECTORS = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parents[1] / "vectors" / "giop").glob("*.bin"))}
"""By name, what omniORBpy and omniNames said to each other."""


def pieces(octets: bytes, size: int) -> list[bytes]:
    """Return octets cut into pieces of a size."""
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def segments(data: Sequence[bytes], seq: int = 1000, **ports: int) -> list[Packet]:
    """Return octets as segments of one direction of a connection."""
    ports = ports or {"sport": 40000, "dport": 8002}
    made = []
    for octets in data:
        made.append(Ether() / IP(src="127.0.0.1", dst="127.0.0.2") / TCP(**ports, seq=seq % 2**32, flags="PA") / Raw(octets))
        seq += len(octets)
    return [Ether(bytes(packet)) for packet in made]


def write_pcap(path: Path, names: Sequence[str]) -> None:
    """Write captured calls, without `-request` and `-reply`, as one connection to port 2809."""
    traffic = Traffic()
    conversation = Conversation(traffic, ("127.0.0.1", 40000), ("127.0.0.2", 2809), accepted=True)
    for name in names:
        conversation.says(VECTORS[f"{name}-request"], by_client=True)
        conversation.says(VECTORS[f"{name}-reply"], by_client=False)
    conversation.ends(by_client=True)
    traffic.write(path)
