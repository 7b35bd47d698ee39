"""The command `iiop-idl`: make typed Python of IDL.

Thin: `iiop.idl.compiler` does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from iiop.idl.compiler import NoCompilerError, compile_idl, write_packages
from iiop_tools import cli

__all__ = ["main"]


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="What is in no module goes to the package FILE_idl. Exit status: 0 done, 1 the IDL is refused, 2 wrong use, a file "
    "that cannot be used, or no omniidl.",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="FOLDER", required=True, type=click.Path(path_type=Path), help="Becomes a Python package."
)
@click.option("-I", "include", metavar="FOLDER", multiple=True, type=click.Path(path_type=Path), help="Look here for #include.")
@cli.debug_option
def iiop_idl(files: tuple[Path, ...], output: Path, include: tuple[Path, ...]) -> None:
    """Make stubs and servant base classes of IDL files: a package in FOLDER for each module, included ones too.

    \b
    iiop-idl Bank.idl -o stubs/
    from stubs.Bank import Account, AccountAsync, AccountServant
    """
    if not output.resolve().name.isidentifier():
        raise click.UsageError(f"-o {output}: this becomes a Python package, so its name has to be an identifier")
    try:
        for path in write_packages(compile_idl(files, include), output):
            cli.say(str(path))
    except NoCompilerError as error:
        cli.complain(cli.printable(str(error)))
        cli.stop(cli.WRONG_USE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `iiop-idl` and return its exit code.

    Args:
        argv: arguments; None for those of this process.
    """
    return cli.run(iiop_idl, argv, name="iiop-idl")
