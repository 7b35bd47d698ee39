"""Numbers in bulk: a sequence of them as one buffer, in this machine's byte order here and in either order on the wire.

Knows `array`, and NumPy where a declaration asks for it. Must not know positions, alignment or limits. No number is looked at
one by one: octets are copied, and swapped where the orders differ, so that even a signalling NaN stays what it was.
"""

from __future__ import annotations

import functools
import importlib
import struct
import sys
from array import array
from collections.abc import Callable
from typing import Any

from iiop.cdr.types import Buffer, ByteOrder, Primitive

__all__ = ["NATIVE", "append", "numbers", "reader"]

NATIVE = ByteOrder[sys.byteorder.upper()]

_KINDS = {code: kind for kind, codes in {"signed": "bhilqn", "unsigned": "BHILQN", "float": "efd"}.items() for code in codes}
_ORDERS = {"<": ByteOrder.LITTLE, ">": ByteOrder.BIG, "!": ByteOrder.BIG, "@": NATIVE, "=": NATIVE}


def numbers(element: Primitive, value: Any) -> memoryview:
    """Return the buffer that a value is; numbers that are no buffer are put into one.

    Raises:
        ValueError: it holds other items, or has more than one dimension.
        TypeError, struct.error: it is neither a buffer nor a collection of such numbers.
    """
    try:
        view = memoryview(value)
    except TypeError:
        if isinstance(value, str) or not hasattr(value, "__len__") or not hasattr(value, "__iter__"):
            raise TypeError(f"a sequence of numbers must be a buffer, tuple or list, not {type(value).__name__}") from None
        return memoryview(struct.pack(f"={len(value)}{element.format}", *value)).cast(element.format)
    except BufferError as error:
        raise ValueError(f"the buffer cannot be read: {error}") from None
    if view.ndim != 1:
        raise ValueError(f"a buffer of {view.ndim} dimensions is no sequence")
    if _KINDS.get(view.format.lstrip("@=<>!")) != _KINDS[element.format] or view.itemsize != element.size:
        raise ValueError(f"a buffer of {view.itemsize}-octet items of format {view.format!r} holds no {element.name}")
    return view


def append(buffer: Buffer, order: ByteOrder, out: bytearray, view: memoryview) -> None:
    """Append the items of a buffer, as `numbers` returned it, in a byte order."""
    if not view.c_contiguous:
        view = memoryview(view.tobytes()).cast("B").cast(view.format) if view.format in _KINDS else _closed_up(view)
    if _ORDERS.get(view.format[0], NATIVE) == order or view.itemsize == 1:
        out += view
        return
