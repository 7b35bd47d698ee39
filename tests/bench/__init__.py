"""Comparisons with peers: `python -m tests.bench [--only NAME]`. A module per room holds the rows of that room."""
