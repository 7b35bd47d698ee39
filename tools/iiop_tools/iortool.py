"""The command `iortool`: look into object references, and change them.

Thin: a group; the commands are in modules of their own, imported when they are used, because shell loops start it often.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import click

from iiop_tools import cli

__all__ = ["main"]

COMMANDS = {
    "decode": "iortool_decode",
    "check": "iortool_check",
    "diff": "iortool_check",
    "build": "iortool_change",
    "rewrite": "iortool_change",
    "convert": "iortool_change",
    "ping": "iortool_ping",
    "minor": "iortool_numbers",
    "codesets": "iortool_numbers",
    "tags": "iortool_numbers",
}
"""In the order of use, with the module that has each."""


class _Late(click.Group):
    """Import commands when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(importlib.import_module(f"iiop_tools.{COMMANDS[cmd_name]}"), cmd_name)
        return found


@click.group(
    cls=_Late,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="REF is IOR:..., corbaloc:..., corbaname:..., a file that holds such, one a line, or - for standard input. Only "
    "`ping` and `check --resolve` touch the network. With --json what is wrong with a reference is in its row, as `errors`. "
    "Exit status: 0 done, 1 the answer is no, or some were broken, 2 wrong use, or nothing could be read.",
)
@click.version_option(package_name="iiopkit")
@cli.debug_option
def iortool() -> None:
    """Look into CORBA object references, and change them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `iortool` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(iortool, argv)
