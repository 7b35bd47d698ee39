r"""The references of event channels in a file, by which a cluster's other node gets to know them.

    # event channels of group MyGroup: name, reference
    MyGroup::Channel1 IOR:0000...

A line a channel: the stringified name it is bound to, `<group>::<channel>`, a blank, the reference. Blank lines and those that
begin with `#` count for nothing; what is not printable in a name, and a `#` or blank it begins with, is written `\xNN`. Of
Interstage's own files only the name is known, `<group>.ior`.

Source: High Availability System Guide B1WS-1092-03ENZ0, 4.5.7, 4.5.8 (esgetchnlior, esetchnlior), 4.12.2 (names and types).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from iiop import iop
from iiop.exceptions import DecodeError, ReferenceFormatError
from iiop.idl import without_prefix
from ior import IOR
from naming.listings import read_name, show_name
from naming.names import parse_name

__all__ = ["Channel", "format_channels", "is_channel", "parse_channels"]

_CHANNEL_IDS = ("IDL:CosNotifyChannelAdmin/EventChannel:1.0", "IDL:CosEventChannelAdmin/EventChannel:1.0")
_HASH = "\\x23"


@dataclass(frozen=True, slots=True)
class Channel:
    """Hold a channel: the stringified name it is bound to, and its reference."""

    name: str
    reference: IOR


def is_channel(reference: iop.IOR) -> bool:
    """Tell whether a reference says that it is one of an event channel, of the event or the notification service."""
    return without_prefix(reference.type_id) in _CHANNEL_IDS


def format_channels(group: str, channels: Iterable[Channel]) -> str:
    """Write the file of a group."""
    lines = [f"# event channels of group {show_name(group)}: name, reference"]
    for channel in channels:
        name = show_name(channel.name)
        lines.append(f"{_HASH + name[1:] if name.startswith('#') else name} {channel.reference}")
    return "".join([f"{line}\n" for line in lines])


def parse_channels(text: str) -> tuple[Channel, ...]:
    """Read such a file.

    Raises:
        ReferenceFormatError: a line is of another form, holds no name or no reference; or there is none.
    """
    channels = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        shown, _, reference = line.rstrip().rpartition(" ")
        try:
            name = read_name(shown)
            parse_name(name)
            channels.append(Channel(name, IOR.from_string(reference)))
        except ReferenceFormatError as error:
            raise ReferenceFormatError(f"line {number} is not of the form: name, blank, IOR:...: {error.reason}") from error
        except DecodeError as error:
            raise ReferenceFormatError(f"line {number}: the reference cannot be read: {error}") from error
    if not channels:
        raise ReferenceFormatError("no channel in it")
    return tuple(channels)
