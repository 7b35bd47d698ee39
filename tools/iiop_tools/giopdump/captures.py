"""Capture files: octets in, packets out. pcap and pcapng, either byte order, whatever resolution of time.

A file is handed over in pieces of any size. What is no packet (statistics, names, comments) is passed over. It must not know what
a packet holds.

Invariant: no more is kept than the one record that is not whole.

Source: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; "nanosecond" pcap as in libpcap's savefile.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from iiop.exceptions.errors import IIOPError

__all__ = ["CaptureError", "CaptureReader", "Packet"]

LONGEST = 16 * 1024 * 1024
"""Octets of one record: what claims to be longer is damaged."""

_NANOSECONDS = 1_000_000_000
_PCAP = {0xA1B2C3D4: 1_000, 0xA1B23C4D: 1}
"""Nanoseconds of the unit in which packets tell fractions of a second, by the number at the start of a file."""
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_END_OF_OPTIONS, _TIME_RESOLUTION, _TIME_OFFSET = 0, 9, 14
_OTHERS = {
    b"\x1f\x8b": "it is compressed: unpack it with gunzip",
    b"\x28\xb5\x2f\xfd": "it is compressed: unpack it with unzstd",
    b"\x34\xcd\xb2\xa1": "a pcap file of Kuznetzov's variety: convert it with editcap",
    b"\xa1\xb2\xcd\x34": "a pcap file of Kuznetzov's variety: convert it with editcap",
    b"snoop\0": "a snoop file: convert it with editcap",
}


class CaptureError(IIOPError, ValueError):
    """Report octets that are no capture, or a capture that is damaged from some place on."""


class Packet(NamedTuple):
    """Hold one packet.

    Attributes:
        at: nanoseconds since 1970.
        link: number of the link type.
        octets: as many as were captured.
    """

    at: int
    link: int
    octets: bytes


class _Interface(NamedTuple):
    """Hold what a section says of an interface: nanoseconds of `unit` ticks, and what is added to its times."""

    link: int
    ticks: int
    offset: int
    longest: int


class CaptureReader:
    """Take the octets of one capture file, and return its packets."""

    def __init__(self) -> None:
        self._rest = b""
        self._offset = 0
        self._read: Callable[[bytes], Iterator[Packet]] | None = None
        self._order = "<"
        self._unit = 1
        self._link = 0
        self._interfaces: list[_Interface] = []

    def receive_data(self, data: bytes) -> Iterator[Packet]:
        """Take the next octets of the file, and return the packets that have become whole; all of them have to be fetched.

        Raises:
            CaptureError: the octets are no capture, or are damaged; what was returned before is sound.
        """
        data = self._rest + data if self._rest else data
        self._rest = data
        if self._read is None:
            if len(data) < 24:
                return
            self._read = self._recognise(data)
        yield from self._read(data)

    def finish(self) -> None:
        """Tell that the file has no more octets.

        Raises:
            CaptureError: it was empty, no capture, or ends within a record.
        """
        if self._read is None:
            if not self._rest:
                raise CaptureError("empty")
            self._recognise(self._rest)
            raise CaptureError(f"cut within its header, after {len(self._rest)} octets")
        if self._rest:
            raise CaptureError(f"cut within a packet: {len(self._rest)} octets at offset {self._offset} are no whole record")

    def _keep(self, data: bytes, at: int) -> None:
        self._rest = data[at:]
        self._offset += at

    def _damaged(self, at: int, reason: str) -> CaptureError:
        return CaptureError(f"damaged at offset {self._offset + at}: {reason}")

    def _recognise(self, data: bytes) -> Callable[[bytes], Iterator[Packet]]:
        for order in "<>":
            if len(data) < 4:
                break
            (number,) = struct.unpack_from(f"{order}I", data)
            if number in _PCAP:
                self._order, self._unit = order, _PCAP[number]
                return self._pcap_header
        if data[:4] == b"\x0a\x0d\x0d\x0a":
            return self._pcapng
        other = next((reason for start, reason in _OTHERS.items() if data.startswith(start)), None)
        raise CaptureError(f"not a capture: {other or f'it begins with {data[:4].hex()}'}")

    # --- pcap ---------------------------------------------------------------------------------------------------------

    def _pcap_header(self, data: bytes) -> Iterator[Packet]:
        self._link = struct.unpack_from(f"{self._order}I", data, 20)[0] & 0x0FFFFFFF  # above: about the frame check sequence
        self._read = self._pcap
        self._keep(data, 24)
        return self._pcap(self._rest)

    def _pcap(self, data: bytes) -> Iterator[Packet]:
        head, link, unit = struct.Struct(f"{self._order}IIII").unpack_from, self._link, self._unit
        at, end = 0, len(data)
        try:
            while at + 16 <= end:
                seconds, fraction, length, _ = head(data, at)
                if length > LONGEST:
                    raise self._damaged(at, f"a packet of {length} octets")
                stop = at + 16 + length
                if stop > end:
                    break
                yield Packet(seconds * _NANOSECONDS + fraction * unit, link, data[at + 16 : stop])
                at = stop
        finally:
            self._keep(data, at)

    # --- pcapng -------------------------------------------------------------------------------------------------------

    def _pcapng(self, data: bytes) -> Iterator[Packet]:
        at, end = 0, len(data)
        try:
            while at + 12 <= end:
                if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
                    self._order = self._section_order(data, at)
                    self._interfaces = []
                kind, length = struct.unpack_from(f"{self._order}II", data, at)
                if length < 12 or length % 4 or length > LONGEST:
                    raise self._damaged(at, f"a block of {length} octets")
                if at + length > end:
                    break
                body = data[at + 8 : at + length - 4]
                if kind == _INTERFACE:
                    self._interfaces.append(self._interface(at, body))
                elif kind in (_ENHANCED_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
                    yield self._block(at, kind, body)
                at += length
        finally:
            self._keep(data, at)

    def _section_order(self, data: bytes, at: int) -> str:
        for order in "<>":
            if struct.unpack_from(f"{order}I", data, at + 8)[0] == _BYTE_ORDER_MAGIC:
                return order
        raise self._damaged(at, "a section header without byte order")

    def _interface(self, at: int, body: bytes) -> _Interface:
        if len(body) < 8:
            raise self._damaged(at, "an interface description that is too short")
        link, longest = struct.unpack_from(f"{self._order}HxxI", body)
        ticks, offset, place = 1_000_000, 0, 8
        while place + 4 <= len(body):
            code, length = struct.unpack_from(f"{self._order}HH", body, place)
            value = body[place + 4 : place + 4 + length]
            if code == _END_OF_OPTIONS:
                break
            if code == _TIME_RESOLUTION and len(value) == 1:
                ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == _TIME_OFFSET and len(value) == 8:
                (offset,) = struct.unpack(f"{self._order}q", value)
            place += 4 + length + -length % 4
        return _Interface(link, ticks, offset, longest)

    def _block(self, at: int, kind: int, body: bytes) -> Packet:
        number, high, low, length, start = 0, 0, 0, 0, 20
        try:
            if kind == _ENHANCED_PACKET:
                number, high, low, length = struct.unpack_from(f"{self._order}IIII", body)
            elif kind == _OLD_PACKET:
                number, high, low, length = struct.unpack_from(f"{self._order}HxxIII", body)
            else:
                (length,), start = struct.unpack_from(f"{self._order}I", body), 4
        except struct.error:
            raise self._damaged(at, "a packet block that is too short") from None
        if number >= len(self._interfaces):
            raise self._damaged(at, f"a packet of interface {number}, which was not described")
        interface = self._interfaces[number]
        if kind == _SIMPLE_PACKET:
            length = min(length, interface.longest or length)
        if start + length > len(body):
            raise self._damaged(at, f"a packet of {length} octets in a block of {len(body) + 12}")
        time = (high << 32 | low) * _NANOSECONDS // interface.ticks + interface.offset * _NANOSECONDS
        return Packet(time, interface.link, body[start : start + length])
