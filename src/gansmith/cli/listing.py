"""`report`, `recipes` and `data`: what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from gansmith.cli.common import RunArgument, console, print_table, say


def report(run: RunArgument) -> None:
    """Make a run's report.html and pictures again from its files."""
    from gansmith.report import write_report
    from gansmith.run import RunFolder

    RunFolder(run).read_config()
    say(str(write_report(run)))


def recipes(
    keys: Annotated[bool, typer.Option("--keys", help="List every setting instead.")] = False,
) -> None:
    """List the recipes and what each is for."""
    from gansmith.config import keys as all_keys
    from gansmith.recipes import RECIPES

    if keys:
        print_table(("key", "kind", "default"), all_keys())
        return
    rows = [(name, " ".join((make.__doc__ or "").split())) for name, make in RECIPES.items()]
    print_table(("recipe", "what it is"), rows)


def data() -> None:
    """List the data sets that can be downloaded: from where, how large, under what terms."""
    from gansmith.data import DOWNLOADS

    for entry in DOWNLOADS.values():
        what = f"{entry.description}; {entry.megabytes:.0f} MB"
        console.print(f"[bold]{entry.name}[/bold]  {what}", soft_wrap=True)
        console.print(f"  from {entry.origin}", soft_wrap=True)
        console.print(f"  terms: {entry.terms}\n", soft_wrap=True)
