"""Numbers in bulk: a sequence of them as one buffer, in this machine's byte order here and in either order on the wire.

Knows `array`, and NumPy where a declaration asks for it; once a program has loaded NumPy, that swaps for `array` too, in half
the time. Must not know positions, alignment or limits. No number is looked at one by one: octets are copied, and swapped where
the orders differ, so that even a signalling NaN stays what it was.
"""

from __future__ import annotations

import importlib
import struct
import sys
from array import array
from typing import Any, NamedTuple

from iiop.cdr.types import ByteOrder, Primitive

__all__ = ["NATIVE", "Numbers", "append", "numbers", "read_array", "read_numpy"]

NATIVE = ByteOrder[sys.byteorder.upper()]

LARGE = 1 << 16
"""Octets from which on it pays to let NumPy swap them."""

_KINDS = {code: kind for kind, codes in {"signed": "bhilqn", "unsigned": "BHILQN", "float": "efd"}.items() for code in codes}
_ORDERS = {"<": ByteOrder.LITTLE, ">": ByteOrder.BIG, "!": ByteOrder.BIG}


class Numbers(NamedTuple):
    """Hold what a value lays on the wire: how many, their octets, contiguous, and the byte order these are in."""

    amount: int
    octets: bytes | memoryview
    order: ByteOrder


def numbers(element: Primitive, value: Any) -> Numbers:
    """Return the numbers of a buffer, uncopied where Python can do that, or of any collection of numbers.

    Raises:
        ValueError: a buffer that holds something else, has more than one dimension, or cannot be read.
        TypeError, OverflowError, struct.error: neither a buffer nor a collection of such numbers.
    """
    try:
        view = memoryview(value)
    except TypeError:
        if isinstance(value, str) or not hasattr(value, "__iter__"):
            raise
        return Numbers(len(value), struct.pack(f"={len(value)}{element.format}", *value), NATIVE)
    except BufferError as error:
        raise ValueError(str(error)) from None
    if view.ndim != 1:
        raise ValueError(f"a buffer of {view.ndim} dimensions is no sequence")
    if view.itemsize != element.size or _KINDS.get(view.format.lstrip("@=<>!")) != _KINDS[element.format]:
        raise ValueError(f"items of format {view.format!r} and {view.itemsize} octets are no {element.name}")
    castable = view.format in _KINDS and view.c_contiguous and len(view)
    octets = view.cast("B") if castable else view.tobytes()
    return Numbers(len(view), octets, _ORDERS.get(view.format[0], NATIVE))


def read_array(element: Primitive, order: ByteOrder, octets: bytes | memoryview) -> array[Any]:
    """Return the numbers that octets in a byte order are, as an array."""
    values: array[Any]
    if order != NATIVE and (numpy := _loaded_numpy(octets)):
        values = array(element.format, (0,)) * (len(octets) // element.size)
        numpy.frombuffer(values, f"<u{element.size}")[:] = numpy.frombuffer(octets, f">u{element.size}")
        return values
    values = array(element.format)
    values.frombytes(octets)
    if order != NATIVE:
        values.byteswap()
    return values


def read_numpy(element: Primitive, order: ByteOrder, octets: bytes | memoryview) -> Any:
    """Return the numbers that octets in a byte order are, as a NumPy array that is read-only: it may lie in the octets."""
    numpy = importlib.import_module("numpy")
    values = numpy.frombuffer(octets, "><"[order] + element.format).astype("=" + element.format, copy=False)
    values.flags.writeable = False
    return values


def append(element: Primitive, order: ByteOrder, out: bytearray, values: Numbers) -> None:
    """Append numbers in a byte order."""
    start = len(out)
    if values.order == order:
        out += values.octets
    elif numpy := _loaded_numpy(values.octets):
        out += values.octets
        numpy.frombuffer(out, f">u{element.size}", values.amount, start)[:] = numpy.frombuffer(values.octets, f"<u{element.size}")
    else:
        out += read_array(element, ByteOrder(1 - NATIVE), values.octets)


def _loaded_numpy(octets: bytes | memoryview) -> Any:
    """Return NumPy if it may swap these octets: they are many, and the program has loaded it; None otherwise."""
    return importlib.import_module("numpy") if len(octets) >= LARGE and sys.modules.get("numpy") else None
