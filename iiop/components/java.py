"""What RMI over IIOP puts into references.

Source: Java Language to IDL Mapping 1.3, clauses 1.4.9.4 (codebase) and 1.4.11 (stream format version).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from iiop.cdr import Octet
from iiop.iop import ComponentId, register_component

__all__ = ["JavaCodebase", "MaxStreamFormat"]


@dataclass(frozen=True, slots=True)
class JavaCodebase:
    """Declare TAG_JAVA_CODEBASE: URLs to load classes from, separated by blanks. Nothing here ever follows them."""

    codebase: str


@dataclass(frozen=True, slots=True)
class MaxStreamFormat:
    """Declare TAG_RMI_CUSTOM_MAX_STREAM_FORMAT: the newest format of custom-marshalled values that the server reads, 1 or 2."""

    version: Annotated[int, Octet]


register_component(ComponentId.TAG_JAVA_CODEBASE, JavaCodebase)
register_component(ComponentId.TAG_RMI_CUSTOM_MAX_STREAM_FORMAT, MaxStreamFormat)
