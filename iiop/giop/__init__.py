"""GIOP: messages as values, their layout in versions 1.0, 1.1 and 1.2, and fragments."""
