"""What a minor code is, and the registry of those that are known.

A minor code is 32 bits; the upper 20 are the vendor's (its VMCID), the lower 12 count within one exception type (CORBA 3.3
part 1, 8.6.4). Vendors whose codes are not a mere list (TAO packs a place and an errno into them) have a decoder.

Knows nothing of exception classes: an exception is its name here. Knows no vendor's codes: those register themselves.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

Table = Mapping[str, Mapping[int, tuple[str, str]]]
"""By exception and number within the vendor's block: short symbol, and one phrase (empty where the symbol says all)."""

ANY_EXCEPTION = ""


@dataclass(frozen=True, slots=True)
class MinorCode:
    """Say what is known of one minor code.

    Attributes:
        minor: the code as asked for.
        vendor: who assigned it.
        exception: the exception it came with, as `COMM_FAILURE`.
        name: short symbol, the vendor's own where its sources have one; empty where only the vendor is known.
        meaning: one phrase; empty where nothing is known beyond vendor and name.
        advice: what a caller can do about it; may be empty.
    """

    minor: int
    vendor: str
    exception: str
    name: str = ""
    meaning: str = ""
    advice: str = ""


Decoder = Callable[[str, int], "MinorCode | None"]
"""Takes the name of an exception and a code of its vendor's block that no table has."""

_codes: dict[tuple[str, int], MinorCode] = {}
_vendors: dict[tuple[int, int], str] = {}
_decoders: dict[int, Decoder] = {}
tables: list[str] = []
"""Modules of tables that are not imported yet: thousands of codes, which most programs never ask for."""


def _load_tables() -> None:
    while tables:
        module = tables[0]
        importlib.import_module(module)  # another thread may have begun that: then it is waited for
        with contextlib.suppress(ValueError):
            tables.remove(module)


def register_vendor(vmcid: int, vendor: str, *, bits: int = 20) -> None:
    """Name the vendor of every code that shares its upper `bits` bits with `vmcid`; the longest match wins."""
    _vendors[(bits, vmcid >> (32 - bits))] = vendor


def register_decoder(vmcid: int, decode: Decoder) -> None:
    """Ask `decode` about codes of the block of 4096 that begins at `vmcid`, where no table has them."""
    _decoders[vmcid & 0xFFFFF000] = decode


def vendor_of_minor(minor: int) -> str | None:
    """Name the vendor a code belongs to, or None if its block is not known."""
    for bits in sorted({bits for bits, _ in _vendors}, reverse=True):
        vendor = _vendors.get((bits, minor >> (32 - bits)))
        if vendor is not None:
            return vendor
    return None


def register_minor_code(
    exception: str, minor: int, name: str, meaning: str, *, advice: str = "", vendor: str | None = None
) -> MinorCode:
    """Make a code known to `explain_minor`; one that was known already is replaced.

    Args:
        exception: name of the exception it comes with, as `TRANSIENT`; empty if it means the same with every one.
        minor: all 32 bits.
        name: short symbol.
        meaning: one phrase.
        advice: what a caller can do about it.
        vendor: who assigned it; taken from the block of the code if not given.
    """
    _load_tables()  # what they say is replaced by who comes later
    return add_minor_code(exception, minor, name, meaning, advice=advice, vendor=vendor)


def add_minor_code(
    exception: str, minor: int, name: str, meaning: str, *, advice: str = "", vendor: str | None = None
) -> MinorCode:
    """Do what `register_minor_code` does, for the tables."""
    owner = vendor if vendor is not None else vendor_of_minor(minor) or "unknown vendor"
    code = MinorCode(minor, owner, exception, name, meaning, advice)
    _codes[(exception, minor)] = code
    return code


def register_table(base: int, table: Table) -> None:
    """Register every code of `table`, counted from `base`."""
    for exception, numbers in table.items():
        for number, (name, meaning) in numbers.items():
            add_minor_code(exception, base + number, name, meaning)


def known(exception: str, minor: int) -> MinorCode | None:
    """Find a code that was registered as it stands, for this exception or for any."""
    _load_tables()
    return _codes.get((exception, minor)) or _codes.get((ANY_EXCEPTION, minor))


def explain_minor(exception_name: str, minor: int) -> MinorCode | None:
    """Find what a minor code means.

    Args:
        exception_name: as `COMM_FAILURE`.
        minor: all 32 bits, as received.

    Returns:
        The entry; one without name and meaning if only its vendor is known; None if nothing is.

    >>> explain_minor("COMM_FAILURE", 0x464A0914).name
    'IPCOM_ERROR'
    >>> explain_minor("COMM_FAILURE", 0x41540007).name
    'COMM_FAILURE_WaitingForReply'
    >>> explain_minor("TRANSIENT", 0x54410085).meaning
    'a LOCATION_FORWARD could not be followed; errno ECONNREFUSED'
    """
    code = known(exception_name, minor)
    if code is None and (decode := _decoders.get(minor & 0xFFFFF000)) is not None:
        code = decode(exception_name, minor)
    if code is not None:
        return replace(code, minor=minor, exception=exception_name)
    vendor = vendor_of_minor(minor)
    return MinorCode(minor, vendor, exception_name) if vendor is not None else None
