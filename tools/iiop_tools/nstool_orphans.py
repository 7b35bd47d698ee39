"""The command `nstool orphans`: naming contexts that no name leads to."""

from __future__ import annotations

import json

import click

from iiop.exceptions import BAD_OPERATION, OBJECT_NOT_EXIST, IIOPError
from iiop_tools import cli
from iiop_tools.nstool_names import EXIT_CODES, naming_service
from naming.administration import NODE_ADMINISTRATION, NodeAdministration
from naming.client import NameService
from naming.types import NotFound

__all__ = ["orphans"]


@click.command(epilog=EXIT_CODES)
@naming_service
@click.option("--destroy", is_flag=True, help="End them and all their bindings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each.")
def orphans(names: NameService, destroy: bool, as_json: bool) -> None:
    """List the contexts to which no name leads from the root.

    A line has the id of a context and how many bindings it has. A program may go on to use such a context by its reference: make
    sure that none does before you destroy it. What was bound in it lives on.

    SERVER is one of iiopkit's: CosNaming itself cannot list such contexts. odrmubncns does the same to a node that does not run.
    """
    administration = names.companion(NODE_ADMINISTRATION, NodeAdministration)
    try:
        found = administration.orphans()
    except (OBJECT_NOT_EXIST, BAD_OPERATION) as error:
        raise IIOPError("CosNaming cannot list contexts that are not bound, and this server is none of iiopkit's") from error
    left = 0
    for orphan in found:
        if destroy:
            try:
                administration.destroy_orphan(orphan.id)
            except NotFound:
                cli.complain(f"{orphan.id} is bound again, or was destroyed by somebody else")
                left += 1
                continue
        row = {"id": orphan.id, "bindings": orphan.bindings}
        cli.say(json.dumps(row) if as_json else f"{orphan.id}  {orphan.bindings}")
    if left:
        cli.stop(cli.NO)
