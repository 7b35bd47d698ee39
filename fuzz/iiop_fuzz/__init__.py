"""Hypothesis strategies for octets, values and messages of CORBA: `from iiop_fuzz import strategies as st`."""
