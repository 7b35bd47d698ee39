"""The command `nstool backup`: copy the folder of a Naming Service, whether or not it runs."""

from __future__ import annotations

from pathlib import Path

import click

from iiop_tools import cli
from naming.backup import back_up
from naming.store import FILE_NAME, StoreError

__all__ = ["backup"]


@click.command(epilog="Exit status: 0 copied; 2 it could not be copied, and TARGET is not there.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@cli.debug_option
def backup(folder: Path, target: Path) -> None:
    """Copy FOLDER to TARGET, even while a server runs on it.

    FOLDER is that of a Naming Service or of a whole node. TARGET, which must not be there, becomes what cp -r -p would copy
    of a server that is stopped: a folder to serve, or to put in place of another node's etc/CosNaming. Every change that was
    answered before is in it.
    """
    try:
        bindings = back_up(folder if (folder / FILE_NAME).exists() else folder / "etc" / "CosNaming", target)
    except (StoreError, FileExistsError) as error:
        cli.complain(str(error))
        cli.stop(cli.WRONG_USE)
    click.echo(f"{target}: {bindings} bindings")
