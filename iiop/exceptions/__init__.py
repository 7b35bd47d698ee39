"""What can go wrong: in this library (`errors`), by the CORBA standard (`corba`), and what minor codes mean (`minor`)."""

from __future__ import annotations

from iiop.exceptions import corba, errors, minor
from iiop.exceptions.corba import *  # noqa: F403
from iiop.exceptions.errors import *  # noqa: F403
from iiop.exceptions.minor import *  # noqa: F403

__all__: list[str] = []
__all__ += corba.__all__
__all__ += minor.__all__
__all__ += [name for name in errors.__all__ if name not in corba.__all__]
