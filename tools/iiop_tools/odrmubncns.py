"""The command `odrmubncns`: naming contexts that no name leads to."""

from __future__ import annotations

from collections.abc import Sequence

import click

from iiop_tools import cli
from iiop_tools.registering import NODE_HELP, answers, mistakes, system_option
from naming.node import Node
from naming.node_server import administer
from naming.types import NotFound

__all__ = ["main"]


@click.command(context_settings={"help_option_names": ["--help"]}, epilog=NODE_HELP)
@click.option("-l", "listing", is_flag=True, help="List the ids of such contexts, in the order of their creation.")
@click.option("-d", "context", metavar="name", help="Delete the one of this id, as -l shows it, with all its bindings.")
@system_option
@cli.debug_option
def odrmubncns(listing: bool, context: str | None, system: str | None) -> None:
    """Remove naming contexts that are not bound any more, as Interstage's odrmubncns.

    \b
    odrmubncns -l [-M system]
    odrmubncns -d name [-M system]

    Unbinding a context does not end it. Listed are those to which no name leads from the root, so also those bound only in each
    other. A program may go on to use one by its reference: make sure that none does. An id that -l does not show is refused.

    Of the real command these two forms are documented, and that only ids from -l may be given. What -l prints, an id a line, that
    -d ends what is bound in the context too, and every exit status, is this command's own.

    Exit status: 0 done; 1 there is no such context, or a name leads to it; 2 wrong use, or the node cannot be used.
    """
    if listing is (context is not None):
        raise click.UsageError("give either -l or -d name")
    with mistakes(), administer(Node.from_environment(system), reading=listing) as node, answers(context or "-l"):
        if context is None:
            for orphan in node.administration.orphans():
                cli.say(orphan.id)
            return
        try:
            node.administration.destroy_orphan(context)
        except NotFound:
            cli.complain(f"{context} is no context that is not bound any more")
            cli.stop(cli.NO)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `odrmubncns` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(odrmubncns, argv, name="odrmubncns")
