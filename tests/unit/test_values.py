"""`quick` changes how long an instance takes to be made, and nothing else."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass

import pytest

from iiop.giop.messages import Request, key_address
from iiop.values import quick


@dataclass(frozen=True, slots=True)
class Plain:
    a: int
    b: str = "x"


Quick = quick(dataclasses.make_dataclass("Plain", [("a", int), ("b", str, "x")], frozen=True, slots=True))


@pytest.mark.parametrize(("positional", "named"), [((1,), {}), ((1, "y"), {}), ((), {"b": "z", "a": 2})])
def test_same_instances(positional: tuple[object, ...], named: dict[str, object]) -> None:
    made = Quick(*positional, **named)
    assert dataclasses.astuple(made) == dataclasses.astuple(Plain(*positional, **named))  # type: ignore[arg-type]
    assert repr(made) == repr(Plain(*positional, **named))  # type: ignore[arg-type]
    assert hash(made) == hash(Quick(*positional, **named))


@pytest.mark.parametrize(("positional", "named"), [((), {}), ((1, "y", 3), {}), ((1,), {"c": 2}), ((1,), {"a": 2})])
def test_same_refusals(positional: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Quick(*positional, **named)


def test_stays_frozen_and_replaceable() -> None:
    request = Request(1, "op", key_address(b"k"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.operation = "x"  # type: ignore[misc]
    assert dataclasses.replace(request, request_id=2) == Request(2, "op", key_address(b"k"))
    assert list(inspect.signature(Request).parameters) == [member.name for member in dataclasses.fields(Request)]


def test_what_it_cannot_do_is_refused() -> None:
    @dataclass(frozen=True)
    class WithoutSlots:
        a: int

    @dataclass(frozen=True, slots=True)
    class Checked:
        a: int

        def __post_init__(self) -> None:
            assert self.a

    @dataclass(frozen=True, slots=True, kw_only=True)
    class KeywordOnly:
        a: int

    for cls in (WithoutSlots, Checked, KeywordOnly):
        with pytest.raises(TypeError):
            quick(cls)
