"""Options of the commands that ask over the network: where host names lead, and whose certificates count.

It reads the files that they name, and must not know who is asked what.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iiop.exceptions.errors import ReferenceFormatError

if TYPE_CHECKING:
    from iiop.net.tls import Security

__all__ = ["hosts_option", "tls_ca_option"]

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)


def hosts_option(only_with: str = "") -> Callable[[_F], _F]:
    """Give a command the option `--hosts`, as the parameter `hosts`: addresses by host name, or None.

    Args:
        only_with: an eager flag of the command without which the file is not read.
    """

    def read(context: click.Context, parameter: click.Parameter, file: Path | None) -> dict[str, str] | None:
        from iiop.net.address import read_hosts

        if file is None or (only_with and not context.params[only_with]):
            return None
        try:
            return read_hosts(file)
        except OSError as error:
            raise click.BadParameter(f"{file}: {error.strerror or error}") from None
        except ReferenceFormatError as error:
            raise click.BadParameter(str(error)) from None

    text = "Asked for host names before the system; in the form of /etc/hosts. Or variable IIOP_HOSTS."
    text = f"With --{only_with}. {text}" if only_with else text
    return click.option("--hosts", envvar="IIOP_HOSTS", type=_FILE, callback=read, help=text)


def tls_ca_option(more: str = "") -> Callable[[_F], _F]:
    """Give a command the option `--tls-ca`, as the parameter `security`.

    Args:
        more: what the help says beside.
    """
    text = f"Speak TLS, and nothing else, with servers whose certificate an authority of this PEM file signed. {more}"
    text += "Or variable IIOP_TLS_CA."
    return click.option("--tls-ca", "security", envvar="IIOP_TLS_CA", type=_FILE, callback=_trusting, help=text)


def _trusting(context: click.Context, parameter: click.Parameter, authorities: Path | None) -> Security:
    import ssl

    from iiop.net.tls import Security

    try:
        return Security(ssl.create_default_context(cafile=authorities) if authorities else None)
    except OSError as error:
        reason = str(error.reason).replace("_", " ").lower() if isinstance(error, ssl.SSLError) else error.strerror
        raise click.BadParameter(f"{authorities}: {reason}") from None
