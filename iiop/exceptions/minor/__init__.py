"""What the minor code of a system exception means, and whose it is.

`core` has the registry, every vendor a module with its table and the source of it; this one names the vendors' blocks.
"""

from __future__ import annotations

from iiop.exceptions.minor import core

__all__ = ["MinorCode", "explain_minor", "register_minor_code", "register_vendor", "vendor_of_minor"]

for _vmcid, _vendor in (
    (0x4F4D0000, "OMG"),
    (0x464A0000, "Fujitsu"),
    (0x41540000, "omniORB"),
    (0x54410000, "TAO"),
    (0x4A430000, "JacORB"),
    (0x53550000, "Sun"),
    (0x47430000, "GNU Classpath"),
    (0x49540000, "IONA"),
    (0x4F4F0000, "ORBacus"),
):
    core.register_vendor(_vmcid, _vendor)
core.register_vendor(0x49420000, "IBM", bits=16)  # IBM's ORBs use several blocks: 0x49421000, 0x4942f000, ...
core.register_vendor(0x494C0000, "ILU", bits=16)

# The tables register themselves when the first code is asked for, and take the vendor's name from the blocks above.
core.tables += [f"{__name__}.{_table}" for _table in ("fujitsu", "ibm", "jacorb", "omg", "omniorb", "sun", "tao")]
from iiop.exceptions.minor.core import MinorCode, explain_minor, register_minor_code, register_vendor, vendor_of_minor  # noqa: E402
