"""`python -m tests.bench [--only NAME]`: print the comparisons and write bench.json.

Exit status: 0 when all were measured (met or not), 1 when one could not be, 2 when no row has such a name.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import tests.bench
from tests.bench import harness


def load_rows() -> None:
    """Import every module of this package, so that its rows are registered."""
    for module in pkgutil.iter_modules(tests.bench.__path__):
        if module.name != "__main__":
            importlib.import_module(f"tests.bench.{module.name}")


def table(results: list[harness.Result], failures: dict[str, str]) -> Table:
    """Lay out the results."""
    found = Table(title="ours against peers, taking turns", caption="ratio = ours / peer; spread = quartiles of the turns")
    found.add_column("name", overflow="fold")
    for heading in ("ours", "peer", "unit", "ratio", "spread", "target", "met"):
        found.add_column(heading, justify="left" if heading in ("unit", "met") else "right", no_wrap=True)
    for result in results:
        target, (low, high) = result.row.target, result.quartiles
        found.add_row(
            f"{result.row.name}\n[dim]{escape(result.row.what)}[/dim]",
            f"{result.ours:.3g}",
            f"{result.peer:.3g}",
            result.row.unit,
            f"{result.ratio:.3f}",
            f"{low:.3f} to {high:.3f}",
            "" if target is None else f"{target:.3f}",
            {True: "[green]yes", False: "[red]no", None: ""}[result.met],
        )
    for name in failures:
        found.add_row(name, *[""] * 6, "[red]failed")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME", help="only rows whose name begins so")
    parser.add_argument("--turns", type=int, default=harness.TURNS, help="turns of each side (default %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("bench.json"), help="default: %(default)s")
    options = parser.parse_args()
    load_rows()
    if not any(name.startswith(options.only) for name in harness.ROWS):
        print(f"no row begins with {options.only!r}; there are: {', '.join(sorted(harness.ROWS))}", file=sys.stderr)
        return 2
    results, failures = harness.run(options.only, turns=options.turns)
    options.output.write_text(json.dumps([result.as_json() for result in results], indent=2, ensure_ascii=False) + "\n")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table(results, failures))
    for name, text in failures.items():
        print(f"\n{name} could not be measured:\n{text}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
