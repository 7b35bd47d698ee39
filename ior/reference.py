"""Object references for people: read from text, kept octet for octet, changed, written again.

An `IOR` here is an `iiop.iop.IOR` whose profiles can be looked into, so it goes wherever a reference travels. It remembers the
text or octets it came from: `str(IOR.from_string(text)) == text`, hex letters, padding and all, until something is changed.
Must not know URLs, and never touches the network.

Source: CORBA 3.3 part 2, clause 7.6.2 "Interoperable Object References", 7.6.9 "Stringified Object References".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import iiop.components  # noqa: F401  tells what components and profiles hold
from iiop import iop
from iiop.cdr import ByteOrder, codec, encapsulate
from iiop.exceptions.errors import DecodeError, ReferenceFormatError, TrailingDataError
from iiop.iop import IOR_CODEC, ProfileId, TaggedComponent, TaggedProfile
from iiop.leniency import LENIENT, Leniency
from iiop.limits import DEFAULT_LIMITS, Limits
from iiop.profile import ProfileBody_1_1
from ior.profiles import Profile, profile_of

if TYPE_CHECKING:
    from iiop.endpoints import Endpoint

__all__ = ["IOR"]

_NOT_HEX = re.compile(r"[^0-9A-Fa-f]")
_ALL_THAT_CAN_BE_READ = Limits(sequence_length=1 << 32, string_length=1 << 32, leniency=LENIENT)
"""For finding places in what was read already, whatever was let pass then."""


@dataclass(frozen=True, slots=True)
class IOR(iop.IOR):
    """Hold an object reference.

    >>> IOR.from_string("IOR:00000000000000010000000000000000").is_nil
    True

    Attributes:
        type_id: repository id, empty where the reference does not say.
        profiles: in the order of the reference; raw `TaggedProfile`s given to the constructor become `Profile`s.
        byte_order: of the reference itself; each profile has its own. Two references may differ in it and be equal.
        trailing: octets behind the last profile. The standard has none there; references damaged by hand do, and they are kept.
    """

    profiles: tuple[Profile, ...]
    byte_order: ByteOrder = field(default=ByteOrder.BIG, compare=False, kw_only=True)
    trailing: bytes = field(default=b"", kw_only=True)
    _source: str | bytes | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "profiles", tuple([profile_of(profile) for profile in self.profiles]))
        object.__setattr__(self, "_source", None)  # not a parameter, so dataclasses.replace cannot hand on the text of another

    @classmethod
    def from_string(cls, text: str, *, limits: Limits = DEFAULT_LIMITS) -> IOR:
        """Read a stringified reference.

        A profile that is broken inside does not stop the rest from being read, see `Profile.error` and `problems`.

        Args:
            text: `IOR:` in any case, then hexadecimal digits; white space around it is passed over.
            limits: on what the reference may cost.

        Raises:
            ReferenceFormatError: other characters, none, or an odd number of digits; with position in `text`.
            DecodeError: the octets are no reference; with path, and offset in the octets.
        """
        stripped = text.strip()
        digits = stripped[4:]
        if stripped[:4].upper() != "IOR:" or not digits:
            raise _not_stringified(text)
        try:
            octets = bytes.fromhex(digits)
        except ValueError:
            raise _not_stringified(text) from None
        if len(digits) != 2 * len(octets):  # white space is passed over by fromhex
            raise _not_stringified(text)
        ior = cls.from_octets(octets, limits=limits)
        object.__setattr__(ior, "_source", stripped)
        return ior

    @classmethod
    def from_octets(cls, octets: bytes, *, limits: Limits = DEFAULT_LIMITS) -> IOR:
        """Read a reference from the octets its hexadecimal digits stand for: an encapsulation of an IOR.

        Raises:
            DecodeError: they are no reference; with path and offset.
        """
        octets = bytes(octets)
        if not octets:
            raise DecodeError("a reference has at least its byte order octet", offset=0)
        if octets[0] > 1:
            raise DecodeError(f"byte order must be 0 or 1, not {octets[0]}", path="byte_order", offset=0, excerpt=octets[:16])
        byte_order = ByteOrder(octets[0])
        raw, end = IOR_CODEC.decode_from(octets, 1, byte_order, limits)
        profiles = tuple([profile_of(profile, limits) for profile in raw.profiles])
        ior = cls(raw.type_id, profiles, byte_order=byte_order, trailing=octets[end:])
        object.__setattr__(ior, "_source", octets)
        return ior

    @classmethod
    def from_iop(cls, reference: iop.IOR) -> IOR:
        """Return the view of a reference as it came in a message."""
        if isinstance(reference, cls):
            return reference
        return cls(reference.type_id, tuple([profile_of(profile) for profile in reference.profiles]))

    def to_iop(self) -> iop.IOR:
        """Return the reference as plain tagged octets."""
        return iop.IOR(self.type_id, tuple([TaggedProfile(item.tag, item.profile_data) for item in self.profiles]))

    def to_octets(self, byte_order: ByteOrder | None = None) -> bytes:
        """Return the reference as an encapsulation.

        Args:
            byte_order: to write it anew in, padding zero; None for the octets it came from, or if it is new or was changed, in
                its own byte order. Profiles are octets and stay as they are.

        Raises:
            EncodeError: a member does not fit.
        """
        if byte_order is None:
            if isinstance(self._source, bytes):
                return self._source
            if self._source is not None:
                return bytes.fromhex(self._source[4:])
        return encapsulate(IOR_CODEC, self, self.byte_order if byte_order is None else byte_order) + self.trailing

    def __str__(self) -> str:
        """Return `IOR:` and hexadecimal digits: the text it came from, unless something was changed.

        Raises:
            EncodeError: a member does not fit.
        """
        if isinstance(self._source, str):
            return self._source
        return "IOR:" + self.to_octets().hex()

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every address, in order: of each IIOP profile its own, then its alternates; broken ones are passed over."""
        from iiop.endpoints import endpoints

        return endpoints(self)

    def problems(self, limits: Limits | None = None) -> tuple[DecodeError, ...]:
        """Return what is broken inside a reference that could be read, in order.

        Args:
            limits: with `leniency=STRICT`, what only some ORBs write is broken, too; None for those that it was read with.

        Returns:
            Errors with paths such as `profiles[1].components[0].port` and offsets in `to_octets()`.

        Raises:
            EncodeError: the reference is new, and a member does not fit.
        """
        found: list[DecodeError] = []
        starts: dict[str, int] = {}
        if limits is not None:
            found += self._refusals(limits)
        for number, profile in enumerate(self.profiles):
            if limits is None and profile.is_sound:
                continue
            path = f"profiles[{number}]"
            whole = profile.refusal(limits) or _other_order(profile.tag, profile.profile_data, self.byte_order, limits)
            inner = () if whole else tuple((at, part.refusal(limits)) for at, part in enumerate(profile.components))
            if whole is None and not any(error for _, error in inner):
                continue
            starts = starts or self._starts()
            start = starts[f"{path}.profile_data"]
            if whole:
                found.append(_moved(whole, path, start))
                continue
            within = _component_starts(profile)
            found += [_moved(error, f"{path}.components[{at}]", start + within[at]) for at, error in inner if error]
        if self.trailing:
            octets = self.to_octets()
            offset = len(octets) - len(self.trailing)
            reason = f"{len(self.trailing)} octets left over"
            found.append(TrailingDataError(reason, path="trailing", offset=offset, excerpt=octets[offset : offset + 16]))
        return tuple(found)

    def _refusals(self, limits: Limits) -> list[DecodeError]:
        octets = self.to_octets()
        try:
            IOR_CODEC.decode_from(octets, 1, ByteOrder(octets[0]), limits)
        except DecodeError as error:
            return [error.with_traceback(None)]
        return []

    def _starts(self) -> dict[str, int]:
        octets = self.to_octets()
        trace, _ = IOR_CODEC.explain(octets, ByteOrder(octets[0]), start=1, limits=_ALL_THAT_CAN_BE_READ)
        return {item.path: item.offset for item in trace}


_COMPONENT_LISTS = {
    ProfileId.TAG_INTERNET_IOP: (codec(ProfileBody_1_1), "components["),
    ProfileId.TAG_MULTIPLE_COMPONENTS: (codec(tuple[TaggedComponent, ...]), "["),
}


def _other_order(tag: int, octets: bytes, around: ByteOrder, limits: Limits | None) -> DecodeError | None:
    """Return what `Leniency.JDK_BYTE_ORDER` lets pass."""
    if limits is None or tag not in _COMPONENT_LISTS or octets[0] == around or Leniency.JDK_BYTE_ORDER in limits.leniency:
        return None
    reason = f"a profile in byte order {ByteOrder(octets[0]).name} where {around.name} is around it"
    return DecodeError(reason, path="byte_order", offset=0, excerpt=octets[:16])


def _component_starts(profile: Profile) -> list[int]:
    """Return where the data of each component begins in a sound profile."""
    layout, prefix = _COMPONENT_LISTS[ProfileId(profile.tag)]
    octets = profile.profile_data
    trace, _ = layout.explain(octets, ByteOrder(octets[0]), start=1, limits=_ALL_THAT_CAN_BE_READ)
    return [item.offset for item in trace if item.path.startswith(prefix) and item.path.endswith("].component_data")]


def _moved(error: DecodeError, path: str, start: int) -> DecodeError:
    """Return the error as seen from further out."""
    inner = f"{path}.{error.path}" if error.path and not error.path.startswith("[") else path + error.path
    kind = type(error)
    moved = kind.__new__(kind, *error.args)
    moved.__dict__.update(error.__dict__, path=inner, offset=start + (error.offset or 0))
    return moved


def _not_stringified(text: str) -> ReferenceFormatError:
    """Say what is wrong with text that is no stringified reference."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    if text[start : start + 4].upper() != "IOR:":
        reason = "a stringified reference begins with 'IOR:'"
        if text[start : start + 5].lower() == "corba":
            reason += " (ior.parse_object_url reads corbaloc and corbaname)"
        return ReferenceFormatError(reason, text=text, position=start)
    start += 4
    bad = _NOT_HEX.search(text, start, end)
    if bad:
        kind = "white space" if bad[0].isspace() else repr(bad[0])
        return ReferenceFormatError(f"{kind} among the hexadecimal digits", text=text, position=bad.start())
    if start == end:
        return ReferenceFormatError("no hexadecimal digits behind 'IOR:'", text=text, position=end)
    return ReferenceFormatError(f"odd number of hexadecimal digits ({end - start})", text=text, position=end)
