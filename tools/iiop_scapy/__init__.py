# SPDX-License-Identifier: GPL-2.0-only
"""Scapy layers for GIOP. Imports scapy, so it is licensed as scapy is (see LICENSE.txt); nothing in iiopkit imports it."""

from __future__ import annotations

from iiop_scapy.giop import GIOP, IIOP_PORTS, bind_iiop_port

__all__ = ["GIOP", "IIOP_PORTS", "bind_iiop_port"]
