"""GIOP: messages as values, their layout in versions 1.0, 1.1 and 1.2, and fragments."""

import iiop.service_contexts  # noqa: F401  registers what service contexts hold
