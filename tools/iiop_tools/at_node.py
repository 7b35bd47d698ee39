"""What the Interstage commands share: the Naming Service of their node, their names, and how they say what is wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from iiop.exceptions import DeadlineExceeded, FailoverExhausted, ReferenceFormatError, SystemException, TransportError
from iiop_tools import cli
from naming.client import NameService
from naming.names import format_name, parse_name
from naming.node import Node, NodeError
from naming.node_server import administer
from naming.store import StoreError
from naming.types import Name, NotFound, NotFoundReason

__all__ = ["answers", "naming_service", "node_name"]


def node_name(text: str) -> Name:
    """Return the components of a name as Interstage's commands take it.

    Raises:
        ReferenceFormatError: text that is no stringified name, or one that begins with a slash.
    """
    if text.startswith("/"):
        raise ReferenceFormatError("a name begins without a slash (that is how it was before V3)", text=text)
    return parse_name(text)


@contextlib.contextmanager
def naming_service(node: Node) -> Iterator[NameService]:
    """Reach the Naming Service of a node: the one that runs, or else one made for the while, of its folder.

    Raises:
        NodeError, StoreError: as `naming.node_server.administer`.
    """
    with administer(node) as reached:
        yield reached.names


@contextlib.contextmanager
def answers() -> Iterator[None]:
    """Say in a line what a Naming Service answers, or why it could not be asked, and end the command."""
    try:
        yield
    except NotFound as error:
        what = "is no context" if error.why is NotFoundReason.not_context else "is not there"
        cli.complain(f"{format_name(error.rest_of_name[:1])} {what}")
        cli.stop(cli.NO)
    except (TransportError, DeadlineExceeded, FailoverExhausted) as error:
        cli.complain(f"the Naming Service of the node does not answer: {' '.join(str(error.__cause__ or error).split())}")
        cli.stop(cli.WRONG_USE)
    except SystemException as error:
        cli.complain(f"the Naming Service of the node answers {error}")
        cli.stop(cli.WRONG_USE)
    except (NodeError, ReferenceFormatError, StoreError) as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)
