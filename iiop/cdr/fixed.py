"""Fixed-point decimals: `fixed<digits, scale>` as `decimal.Decimal`.

Source: CORBA 3.3 part 2, clause 9.3.2.8 "Fixed-Point Decimal Type": two digits an octet, the most significant first, the last
half octet being the sign, C or D; a leading zero where the number of digits is even.
"""

from __future__ import annotations

import functools
from decimal import Decimal

from iiop.cdr.types import Adapted, OctetArray

__all__ = ["fixed"]

MOST_DIGITS = 31
_POSITIVE, _NEGATIVE = "c", "d"


@functools.cache
def fixed(digits: int, scale: int) -> Adapted:
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
        sign, given, exponent = Decimal(value).as_tuple()
        if isinstance(value, float) or not isinstance(exponent, int) or not -MOST_DIGITS <= exponent <= MOST_DIGITS:
            raise ValueError(f"{value!s:.60} is no decimal that fits fixed<{digits}, {scale}>")
        number, rest = divmod(int("".join(map(str, given))) * 10 ** (exponent + MOST_DIGITS), 10 ** (MOST_DIGITS - scale))
        if rest or number >= 10**digits:
            raise ValueError(f"{value!s:.60} does not fit fixed<{digits}, {scale}>")
        return bytes.fromhex(f"{number:0{2 * octets - 1}d}{_NEGATIVE if sign else _POSITIVE}")

    return Adapted(OctetArray(octets), decode, encode)
