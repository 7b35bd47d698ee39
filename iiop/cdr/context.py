"""Contexts: properties, by name, that a client passes beside the arguments of an operation with a `context` clause.

Source: CORBA 3.3 part 2, clause 9.3.5.4 "Context", 9.4.2.2 "Request Body"; part 1, clause 7.4.6 "Context Expressions".
"""

from __future__ import annotations

from dataclasses import dataclass

from iiop.cdr.types import Adapted, Sequence, String

__all__ = ["Context", "context"]


@dataclass(frozen=True)
class Context(Adapted):
    """Declare the context of an operation; its value is a dict of texts by name.

    Attributes:
        names: those that the operation asks for; one that ends with `*` stands for all that begin so.
    """

    names: tuple[str, ...]


def context(*names: str) -> Context:
    """Declare the context of an operation; properties that it does not ask for are not sent.

    >>> from iiop.cdr import codec
    >>> codec(context("user", "lang*")).encode({"user": "a", "other": "b"}).hex()
    '00000002000000057573657200000000000000026100'
    """

    def asked(name: str) -> bool:
        return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in names)

    def encode(properties: dict[str, str]) -> tuple[str, ...]:
        return tuple([text for name, value in properties.items() if asked(name) for text in (name, value)])

    def decode(texts: tuple[str, ...]) -> dict[str, str]:
        if len(texts) % 2:
            raise ValueError(f"{len(texts)} texts are no names and values")
        return dict(zip(texts[::2], texts[1::2], strict=True))

    return Context(Sequence(String), decode, encode, names)
