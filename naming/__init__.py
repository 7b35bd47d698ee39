"""CosNaming: a Naming Service, and a client whose references heal themselves."""

from naming.client import NameService
from naming.names import format_name, parse_name
from naming.server import NamingServer
from naming.types import Name, NameComponent

__all__ = ["Name", "NameComponent", "NameService", "NamingServer", "format_name", "parse_name"]
