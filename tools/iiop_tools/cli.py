"""What all our commands share: exit codes, and errors as one clear line.

Exit codes: 0 done; 1 the answer is no (an object that is not there, a reference that is broken); 2 wrong use, or nothing could be
read; 130 interrupted; 141 nobody reads our output any more; 143 told to end (SIGTERM); 70 a bug of ours. A traceback
is shown only with `--debug`. Knows click; must not know references, names or captures.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, TypeVar

import click

from iiop.exceptions.errors import IIOPError

__all__ = [
    "DONE",
    "NO",
    "WRONG_USE",
    "Amount",
    "Terminated",
    "complain",
    "debug_option",
    "printable",
    "run",
    "say",
    "standard_input",
    "stop",
]

DONE, NO, WRONG_USE, BUG, INTERRUPTED, PIPE_CLOSED, TERMINATED = 0, 1, 2, 70, 130, 141, 143

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass
class _Settings:
    """Hold what options say about errors."""

    debug: bool = False


def debug_option(command: _F) -> _F:
    """Give a command or group the option `--debug`."""

    def switch_on(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.ensure_object(_Settings).debug |= value

    text = "Show the traceback of an error."
    return click.option("--debug", is_flag=True, expose_value=False, callback=switch_on, is_eager=True, help=text)(command)


class Amount(click.FloatRange):
    """Take a number in a range that other numbers can be compared with: not `nan`, nor `inf`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is no amount", param, ctx)
        return number


def complain(message: str) -> None:
    """Write one line to standard error, after the name of the command."""
    context = click.get_current_context(silent=True)
    name = context.find_root().info_name if context else None
    click.echo(f"{name}: {message}" if name else message, err=True)


def say(line: str) -> None:
    """Write one line to standard output, where characters that do not print, or that it has no code for, stand escaped."""
    text = printable(line)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def printable(text: str) -> str:
    r"""Return text that a peer chose with what could move the cursor of a terminal, or is no character, escaped.

    >>> print(printable("口座" + chr(27)))
    口座\x1b
    """
    if text.isprintable():
        return text
    return "".join([each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text])


def standard_input() -> BinaryIO:
    """Return standard input, as octets.

    Raises:
        click.UsageError: whoever started the command has closed it.
    """
    if sys.stdin is None:
        raise click.UsageError("standard input is closed")
    return sys.stdin.buffer


def stop(code: int) -> NoReturn:
    """End the command with an exit code."""
    raise click.exceptions.Exit(code)


def run(command: click.Command, argv: Sequence[str] | None = None, *, name: str | None = None) -> int:
    """Run a command to its end.

    Args:
        command: a click command or group, with `debug_option`.
        argv: arguments; None for those of this process.
        name: for usage and error lines; the command's own by default.

    Returns:
        The exit code; nothing escapes but what the interpreter itself raises to end.
    """
    name = name or command.name or "command"
    arguments = list(sys.argv[1:] if argv is None else argv)
    complete = os.environ.get(f"_{name.upper().replace('-', '_')}_COMPLETE")
    if complete:
        from click.shell_completion import shell_complete

        return shell_complete(command, {}, name, f"_{name.upper().replace('-', '_')}_COMPLETE", complete)
    settings = _Settings()
    _open_what_is_closed()
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.ERROR)  # a command says itself what is wrong
    try:
        with contextlib.ExitStack() as stack, _ending_in_order():
            context = stack.enter_context(command.make_context(name, arguments, obj=settings))
            command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ending:
        return _flushed(ending.exit_code)
    except BaseException as error:
        return _report(error, name, settings)
    return DONE


def _open_what_is_closed() -> None:
    """Let output that whoever started us has closed (`>&-`) go nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  until the process ends


class Terminated(SystemExit):
    """Report SIGTERM; event loops let it through, as they do with every SystemExit."""


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, so that nothing half-made stays behind; the second one ends it at once."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _pipe_closed()
    return code


def _report(error: BaseException, name: str, settings: _Settings) -> int:
    """Say what happened, in the way of its kind, and return the exit code."""
    if isinstance(error, BrokenPipeError) and not isinstance(error, IIOPError):
        return _pipe_closed()
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    if isinstance(error, Terminated):
        return TERMINATED
    if isinstance(error, SystemExit | GeneratorExit):
        raise error
    if settings.debug:
        traceback.print_exception(error)
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, IIOPError):
        click.echo(f"{name}: {error}", err=True)
        return NO
    if isinstance(error, OSError):
        what = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        click.echo(f"{name}: {what}", err=True)
        return WRONG_USE
    click.echo(f"{name}: internal error: {type(error).__name__}: {error} (--debug shows more; please report this)", err=True)
    return BUG


def _pipe_closed() -> int:
    """Let nothing more be written, so that the interpreter does not fail to flush at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    return PIPE_CLOSED
