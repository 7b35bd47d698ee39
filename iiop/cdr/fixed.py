"""Fixed-point decimals: `fixed<digits, scale>` as `decimal.Decimal`.

Source: CORBA 3.3 part 2, clause 9.3.2.8 "Fixed-Point Decimal Type": two digits an octet, the most significant first, the last
half octet being the sign, C or D; a leading zero where the number of digits is even.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from iiop.cdr.types import Adapted, OctetArray

__all__ = ["Fixed", "fixed"]

MOST_DIGITS = 31
_POSITIVE, _NEGATIVE = "c", "d"


@dataclass(frozen=True)
class Fixed(Adapted):
    """Declare a fixed-point decimal; `fixed` makes one.

    Attributes:
        digits: in all, 1 to 31.
        scale: how many of them stand behind the point.
    """

    digits: int
    scale: int


@functools.cache
def fixed(digits: int, scale: int) -> Fixed:
    """Declare a `fixed<digits, scale>`, whose value is a `Decimal`.

    >>> from iiop.cdr import codec
    >>> codec(fixed(5, 2)).encode(Decimal("-3.5")).hex()
    '00350d'

    Raises:
        ValueError: digits are not 1 to 31, or the scale is not 0 to that.
    """
    if not 1 <= digits <= MOST_DIGITS or not 0 <= scale <= digits:
        raise ValueError(f"there is no fixed<{digits}, {scale}>")
    octets = digits // 2 + 1

    def decode(read: bytes) -> Decimal:
        text = read.hex()
        number, sign = text[:-1], text[-1]
        if not number.isdigit() or sign not in (_POSITIVE, _NEGATIVE) or (digits % 2 == 0 and number[0] != "0"):
            raise ValueError(f"{text} is no fixed<{digits}, {scale}>")
        return Decimal((sign == _NEGATIVE, tuple(map(int, number[-digits:])), -scale))

    def encode(value: Decimal) -> bytes:
        try:
            sign, given, exponent = Decimal(value).as_tuple()
        except InvalidOperation:
            raise ValueError(f"{value!r:.60} is no decimal") from None
        if isinstance(value, float) or not isinstance(exponent, int):
            raise ValueError(f"{value!r:.60} is no decimal that a fixed<{digits}, {scale}> holds")
        whole = "".join(map(str, given)).lstrip("0")
        significant = whole.rstrip("0")
        shift = exponent + len(whole) - len(significant) + scale
        if significant and (shift < 0 or len(significant) + shift > digits):
            raise ValueError(f"{Decimal(value)!s:.60} does not fit fixed<{digits}, {scale}>")
        number = significant + "0" * shift if significant else ""
        return bytes.fromhex(number.zfill(2 * octets - 1) + (_NEGATIVE if sign else _POSITIVE))

    return Fixed(OctetArray(octets), decode, encode, digits, scale)
