"""A node's folder: what Interstage keeps below the CORBA service's directory.

    <home>/etc/config              name = value, a # at the beginning of a line makes it a comment
    <home>/etc/CosNaming/          the bindings; copied from node to node
    <home>/etc/set_host            the host that OD_set_env put into references, in a line
    <home>/etc/initial_hosts       whom clients ask (`naming.initial_hosts`)
    <home>/etc/initial_services    the services registered by `OD_or_adm -i`; they carry the host's own references
    <home>/var/                    who serves the node, and where: `naming.claim`
    <home>/system/<name>/          the same again for each extended system, unless OD_SYSTEMS names another folder than `system`

Where the set host, the services, `var` and extended systems are kept is ours, and so are three parameters of `etc/config`:
`IIOP_ssl_port`, `object_group_selection`, and `iiopkit_profile`, whose answers the node gives (`naming.model.Profile`).

Source: Tuning Guide A.1 "config"; High Availability System Guide B1WS-1092-03ENZ0, 3.2.2.2.
"""

from __future__ import annotations

import enum
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from iiop.exceptions import IIOPError, ReferenceFormatError
from ior import Address
from ior.builder import DEFAULT_PORT
from naming.groups import DEFAULT_SELECTION, SelectionRule
from naming.initial_hosts import InitialHost
from naming.model import DEFAULT_PROFILE, Profile

__all__ = ["Node", "NodeError", "read_config"]


_SYSTEM = re.compile(r"[A-Za-z0-9_-]+")

_E = TypeVar("_E", bound=enum.Enum)


class NodeError(IIOPError):
    """Report a node folder that cannot be used."""


@dataclass(frozen=True, slots=True)
class Node:
    """Know a node by its folder.

    Attributes:
        home: the folder; commands take it from the environment variable OD_HOME.
    """

    home: Path

    @classmethod
    def from_environment(cls, system: str | None = None) -> Node:
        """Return the node that OD_HOME names, or one of its extended systems.

        Args:
            system: name of the extended system; without, the variable IS_SYSTEM names one, or there is none.

        Raises:
            NodeError: OD_HOME is not set, or names no folder; there is no such system.
        """
        home = os.environ.get("OD_HOME")
        if not home:
            raise NodeError("OD_HOME is not set: it names the folder of the node, the one with etc/config in it")
        if not Path(home).is_dir():
            raise NodeError(f"OD_HOME names no folder: {home}")
        system = os.environ.get("IS_SYSTEM", "") if system is None else system
        return cls(Path(home))._system(system) if system else cls(Path(home))

    @classmethod
    def of_bindings(cls, folder: Path) -> Node | None:
        """Return the node whose bindings are kept in a folder, by the folder's name; None if it is that of no node."""
        node = cls(folder.resolve().parent.parent)
        return node if node.naming_folder == folder.resolve() else None

    def _system(self, name: str) -> Node:
        if not _SYSTEM.fullmatch(name):
            raise NodeError(f"{name!r} is no name of a system: letters, digits, '_' and '-'")
        folder = Path(os.environ.get("OD_SYSTEMS") or self.home / "system") / name
        if not folder.is_dir():
            raise NodeError(f"there is no system {name}: it would be the folder {folder} (OD_SYSTEMS names the one above)")
        return Node(folder)

    @property
    def naming_folder(self) -> Path:
        """Return where bindings are kept."""
        return self.home / "etc" / "CosNaming"

    @property
    def services_file(self) -> Path:
        """Return where registered initial services are kept."""
        return self.home / "etc" / "initial_services"

    def config(self) -> dict[str, str]:
        """Return the parameters of `etc/config`; none if there is no such file.

        Raises:
            NodeError: a line is neither comment nor `name = value`; the file cannot be read.
        """
        return read_config(self.home / "etc" / "config")

    @property
    def set_host_file(self) -> Path:
        """Return where the host is kept that `OD_set_env` set."""
        return self.home / "etc" / "set_host"

    @property
    def set_host(self) -> str | None:
        """Return the host that `OD_set_env` set, None if it set none.

        Raises:
            NodeError: the file cannot be read, or holds no host.
        """
        path = self.set_host_file
        try:
            host = path.read_text(encoding="ascii").strip()
            Address("iiop", host)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, ReferenceFormatError) as error:
            raise NodeError(f"{path}: {error}; OD_set_env writes it anew") from error
        return host

    @property
    def host_name(self) -> str:
        """Return the host that goes into references: that of `OD_set_env`, or `IIOP_hostname`, or the machine's name.

        No manual says which of the two wins; here it is the one that can be given for nothing else.
        """
        return self.set_host or self.config().get("IIOP_hostname") or socket.gethostname()

    @property
    def port(self) -> int:
        """Return `IIOP_port`, 8002 if it is not set.

        Raises:
            NodeError: it is no port.
        """
        return self._port("IIOP_port", DEFAULT_PORT)

    @property
    def ssl_port(self) -> int | None:
        """Return `IIOP_ssl_port`, a parameter of ours: the port that `OD_or_adm -s` puts into references; None if it is not set.

        Raises:
            NodeError: it is no port.
        """
        return self._port("IIOP_ssl_port", None) if "IIOP_ssl_port" in self.config() else None

    def _port(self, parameter: str, default: int | None) -> int:
        text = self.config().get(parameter, str(default))
        port = int(text.lstrip("0")[:6] or "0") if text.isascii() and text.isdigit() else 0
        if not 1 <= port <= 65535:
            raise NodeError(f"{self.home / 'etc' / 'config'}: {parameter} = {text[:40]}: a port is 1 to 65535")
        return port

    @property
    def virtual_host(self) -> str | None:
        """Return the virtual host that the node is behind, None if there is none.

        It is what `OD_set_env -n` set. What `-v` set is an address, the one that nodes of a cluster inherit.

        Raises:
            NodeError: as `set_host`.
        """
        host = self.set_host
        return None if host is None or InitialHost(host).is_address else host

    @property
    def initial_hosts_file(self) -> Path:
        """Return where `initial_hosts` is, or is to be; `inithost`, as it is called on Windows, if only that is there."""
        unix, windows = self.home / "etc" / "initial_hosts", self.home / "etc" / "inithost"
        return windows if windows.exists() and not unix.exists() else unix

    @property
    def selection(self) -> SelectionRule:
        """Return `object_group_selection`, a parameter of ours: which member of an object group the next client gets.

        Raises:
            NodeError: it is no rule.
        """
        return self._one_of("object_group_selection", DEFAULT_SELECTION, "rules")

    @property
    def profile(self) -> Profile:
        """Return `iiopkit_profile`, a parameter of ours: whose answers the node gives where Naming Services differ.

        Raises:
            NodeError: it is no profile.
        """
        return self._one_of("iiopkit_profile", DEFAULT_PROFILE, "profiles")

    def _one_of(self, parameter: str, default: _E, what: str) -> _E:
        text = self.config().get(parameter, default.value)
        try:
            return type(default)(text)
        except ValueError:
            values = ", ".join(each.value for each in type(default))
            raise NodeError(f"{self.home / 'etc' / 'config'}: {parameter} = {text[:40]}: the {what} are {values}") from None


def read_config(path: Path) -> dict[str, str]:
    """Return the parameters of a `config` file; none if there is no such file.

    Raises:
        NodeError: a line is neither comment nor `name = value`; the file cannot be read.
    """
    parameters: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return parameters
    except (OSError, UnicodeDecodeError) as error:
        raise NodeError(f"{path}: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator or not name.strip():
            raise NodeError(f"{path}, line {number}: not of the form name = value: {line[:40]!r}")
        parameters[name.strip()] = value.strip()
    return parameters
