"""The command `nstool`: run a Naming Service, and use any other.

Thin: a group; each command has its module.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from iiop_tools import cli
from iiop_tools.nstool_backup import backup
from iiop_tools.nstool_names import COMMANDS, EXIT_CODES
from iiop_tools.nstool_orphans import orphans
from iiop_tools.nstool_serve import serve
from iiop_tools.nstool_trees import COMMANDS as TREES
from naming.places import FORMS

__all__ = ["main"]


class _InOrder(click.Group):
    """List commands in the order in which they were added, which is that of use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"SERVER is {FORMS}. NAME is a stringified name, as branch/account.kind. {EXIT_CODES}",
)
@click.version_option(package_name="iiopkit")
@cli.debug_option
def nstool() -> None:
    """Run a CORBA Naming Service; look at, and change, what is bound in any."""


for _command in (serve, *COMMANDS, orphans, *TREES, backup):
    nstool.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `nstool` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(nstool, argv)
