"""Long doubles: IEEE 754 binary128 as a float that keeps all of its bits.

Source: CORBA 3.3 part 2, clause 9.3.1.4 "Floating Point Data Types": a sign, 15 bits of exponent, 112 bits of fraction.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

from iiop.cdr.types import CDRType

__all__ = ["Binary128", "LongDouble", "LongDoubleType", "binary128"]


@dataclass(frozen=True)
class LongDoubleType(CDRType):
    """Declare a long double: 16 octets, aligned to 8; its value is a `Binary128`, and a float is written exactly."""

    @property
    def min_size(self) -> int:
        return 16


LongDouble = LongDoubleType()

_FRACTION, _BIAS, _SPECIAL = 112, 16383, 0x7FFF
_DOUBLE_FRACTION, _DOUBLE_BIAS, _DOUBLE_SPECIAL = 52, 1023, 0x7FF
_HALF, _MAGNITUDE = (1 << 64) - 1, (1 << 127) - 1


class Binary128(float):
    """Hold a long double: as a float it is the double next to it, and `bits` are its own.

    >>> third = Binary128.of_bits(0x3FFD_5555_5555_5555_5555_5555_5555_5555)
    >>> float(third), third == 1 / 3
    (0.3333333333333333, False)
    >>> Binary128(0.5) == 0.5
    True

    Attributes:
        bits: the 128 bits, as one number.
    """

    __slots__ = ("bits",)

    bits: int

    def __new__(cls, value: float = 0.0) -> Binary128:
        """Return the long double that equals a float; raises what `float` raises."""
        made = super().__new__(cls, value)
        made.bits = value.bits if isinstance(value, Binary128) else _widened(float(value))
        return made

    @classmethod
    def of_bits(cls, bits: int) -> Binary128:
        """Return the long double of 128 bits.

        Raises:
            ValueError: it is no such number.
        """
        if not 0 <= bits < 1 << 128:
            raise ValueError(f"{bits:#x} has more than 128 bits, or a sign")
        made = super().__new__(cls, _nearest(bits))
        made.bits = bits
        return made

    @classmethod
    def of_halves(cls, high: int, low: int) -> Binary128:
        """Return the long double of twice 64 bits."""
        return cls.of_bits(high << 64 | low)

    @property
    def halves(self) -> tuple[int, int]:
        """Return the high and the low 64 bits."""
        return self.bits >> 64, self.bits & _HALF

    @property
    def _is_double(self) -> bool:
        return _widened(float(self)) == self.bits

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Binary128):
            return float(self) == float(other) and (self.bits == other.bits or not (self.bits | other.bits) & _MAGNITUDE)
        return self._is_double and float(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(float(self)) if self._is_double else hash(self.bits)

    def __repr__(self) -> str:
        if self._is_double:
            return f"Binary128({float(self)!r})"
        return f"Binary128.of_bits({self.bits:#034x})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Binary128.of_bits, (self.bits,)


def binary128(value: Any) -> Binary128:
    """Return a number as long double, exactly.

    Raises:
        TypeError: it is neither a float nor an integer.
        ValueError: an integer that no double is exactly.
        OverflowError: an integer that is too large.
    """
    if isinstance(value, Binary128):
        return value
    if not isinstance(value, float | int):
        raise TypeError(f"a number is needed, not {type(value).__name__}")
    made = Binary128(value)
    if isinstance(value, int) and int(made) != value:
        raise ValueError("no double is exactly that; Binary128.of_bits takes the 128 bits")
    return made


def _widened(value: float) -> int:
    """Return the bits of the long double that a double is."""
    bits = int.from_bytes(struct.pack(">d", value), "big")
    sign, exponent, fraction = bits >> 63, bits >> _DOUBLE_FRACTION & _DOUBLE_SPECIAL, bits & (1 << _DOUBLE_FRACTION) - 1
    if exponent == _DOUBLE_SPECIAL:
        exponent = _SPECIAL
    elif exponent:
        exponent += _BIAS - _DOUBLE_BIAS
    elif fraction:  # what is subnormal as a double is normal here
        shift = _DOUBLE_FRACTION + 1 - fraction.bit_length()
        fraction = fraction << shift & (1 << _DOUBLE_FRACTION) - 1
        exponent = _BIAS - _DOUBLE_BIAS + 1 - shift
    return sign << 127 | exponent << _FRACTION | fraction << _FRACTION - _DOUBLE_FRACTION


def _nearest(bits: int) -> float:
    """Return the double next to a long double; NaN where that is one."""
    sign = -1.0 if bits >> 127 else 1.0
    exponent, fraction = bits >> _FRACTION & _SPECIAL, bits & (1 << _FRACTION) - 1
    if exponent == _SPECIAL:
        return math.copysign(math.nan if fraction else math.inf, sign)
    power = exponent - _BIAS - _FRACTION
    significant = fraction | 1 << _FRACTION
    if power > _DOUBLE_BIAS - _FRACTION:
        return sign * math.inf
    if power < -_DOUBLE_BIAS - _DOUBLE_FRACTION - _FRACTION - 2:
        return sign * 0.0
    try:
        return sign * (float(significant << power) if power >= 0 else significant / (1 << -power))
    except OverflowError:
        return sign * math.inf
