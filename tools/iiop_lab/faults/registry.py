"""Faults by name, with their parameters, as a scenario file says them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType

from iiop_lab.faults import answers, giop, remarshal, tcp
from iiop_lab.faults.fault import Fault

__all__ = ["fault_names", "make_fault", "register_fault"]

Factory = Callable[..., Fault]

_factories: dict[str, Factory] = {
    "latency": tcp.Latency,
    "bandwidth": tcp.Bandwidth,
    "refuse": tcp.Refuse,
    "black_hole": tcp.BlackHole,
    "reset": tcp.Reset,
    "close": tcp.Close,
    "half_open": tcp.HalfOpen,
    "slow_close": tcp.SlowClose,
    "slice": tcp.Slice,
    "data_limit": tcp.DataLimit,
    "drop": giop.Drop,
    "delay": giop.Delay,
    "duplicate": giop.Duplicate,
    "swap_replies": giop.SwapReplies,
    "wrong_request_id": giop.WrongRequestId,
    "truncate": giop.Truncate,
    "corrupt": giop.Corrupt,
    "fragmented": giop.Fragmented,
    "stalled_fragment": giop.StalledFragment,
    "close_connection": answers.CloseConnectionInstead,
    "message_error": answers.MessageErrorInstead,
    "forward": answers.Forward,
    "forward_loop": answers.ForwardLoop,
    "needs_addressing_mode": answers.NeedsAddressingMode,
    "system_exception": answers.SystemExceptionInstead,
    "other_byte_order": remarshal.OtherByteOrder,
    "rewritten_host": remarshal.RewrittenHost,
}


def register_fault(name: str, factory: Factory) -> None:
    """Tell how a fault of one's own is made; a later registration replaces an earlier one.

    Args:
        name: that scenario files know it by.
        factory: called with the parameters as keywords; its signature says which there are.
    """
    _factories[name] = factory


def fault_names() -> Mapping[str, Factory]:
    """Return the factory of every fault by its name; it shows later registrations too."""
    return MappingProxyType(_factories)


def make_fault(name: str, /, **parameters: object) -> Fault:
    """Make a fault of its name and parameters.

    Raises:
        ValueError: there is no such fault or parameter, one that is needed is missing, or a value is not possible; the message
            tells what there is.

    Examples:
        >>> make_fault("delay", seconds=0.5)
        Delay(seconds=0.5)
        >>> make_fault("delay", minutes=1)
        Traceback (most recent call last):
        ...
        ValueError: fault delay has no parameter 'minutes': there is seconds
    """
    factory = _factories.get(name)
    if factory is None:
        raise ValueError(f"there is no fault {name!r}{_meant(name, _factories)}: there are {', '.join(sorted(_factories))}")
    known = inspect.signature(factory).parameters
    listing = ", ".join(known) or "none"
    if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values()):
        for unknown in (parameter for parameter in parameters if parameter not in known):
            raise ValueError(f"fault {name} has no parameter {unknown!r}{_meant(unknown, known)}: there is {listing}")
    keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    missing = [each.name for each in known.values() if each.kind in keyword and each.default is each.empty]
    for needed in (each for each in missing if each not in parameters):
        raise ValueError(f"fault {name} needs the parameter {needed!r}: there is {listing}")
    try:
        return factory(**parameters)
    except (TypeError, ValueError) as error:
        raise ValueError(f"fault {name}: {error}") from error


def _meant(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {close[0]!r}?)" if close else ""
