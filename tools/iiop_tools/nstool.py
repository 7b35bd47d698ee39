"""The command `nstool`: run a Naming Service.

Thin: a group; each command has its module.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from iiop_tools import cli
from iiop_tools.nstool_serve import serve

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iiopkit")
@cli.debug_option
def nstool() -> None:
    """Run CORBA Naming Services."""


nstool.add_command(serve)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `nstool` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(nstool, argv)
