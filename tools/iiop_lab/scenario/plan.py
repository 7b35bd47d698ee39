"""Where everything of a lab is that runs: which port a host has, what references call it, before whom a proxy is. No process."""

from __future__ import annotations

from iiop.exceptions import IIOPError
from iiop_lab.child import nss_wrapper
from iiop_lab.scenario.declaration import LabFile
from iiop_lab.scenario.meaning import cluster_of, host_of
from iiop_lab.scenario.ports import Ports

__all__ = ["LabError", "Plan"]


class LabError(IIOPError):
    """Report what a lab cannot do, or cannot be."""


class Plan:
    """Say where what a file declares is.

    Args:
        file: what is declared.
        any_port: let the system choose every port, whatever the file says.
        proxies: have a fault proxy before every node and the virtual host.
    """

    def __init__(self, file: LabFile, *, any_port: bool, proxies: bool) -> None:
        self.file = file
        self._ports = Ports(any_port)
        self._all_proxies = proxies

    def close(self) -> None:
        """Hold no port any more."""
        self._ports.close()

    def port_of(self, host: str) -> int:
        """Return the port that a host has for clients.

        Raises:
            LabError: there is no such host, or nothing there.
        """
        if host not in self.file.hosts:
            raise LabError(f"there is no host {host}: the file declares {', '.join(self.file.hosts) or 'none'}")
        address = self.file.hosts[host]
        if self.file.virtual_host is not None and host == self.file.virtual_host.host:
            return self._ports.of(address, self.file.virtual_host.port)
        for name, declared in self.file.nodes.items():
            if host_of(self.file, name) == host:
                return self._ports.of(address, declared.port)
        raise LabError(f"host {host} is neither the virtual host nor a node")

    def called(self, host: str) -> str:
        """Return what references call a host."""
        return host if self.file.references == "names" else self.file.hosts[host]

    def has_proxy(self, name: str) -> bool:
        """Tell whether a fault proxy is before a node, or the host of the virtual host."""
        if cluster_of(self.file, name) is not None:
            return False
        declared = self.file.nodes.get(name)
        wanted = declared is not None and declared.proxy
        return self._all_proxies or wanted or any(fault.at == name for fault in self.file.faults.values())

    def environment(self) -> dict[str, str]:
        """Return what a program needs in its environment to find the hosts by name, but for the file that tells them.

        Raises:
            LabError: libnss-wrapper, which that takes, is not installed.
        """
        if self.file.references != "names":
            return {}
        library = nss_wrapper()
        if library is None:
            raise LabError("for host names in references, programs need libnss-wrapper: apt-get install libnss-wrapper")
        return {"LD_PRELOAD": library}
