"""What every verb shares: ``--json``, tables, and a console on stderr for progress."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

_Function = TypeVar("_Function", bound=Callable[..., Any])

json_option: Callable[[_Function], _Function] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON on standard output instead of text."
)


def print_json(value: Any) -> None:
    """Print ``value`` as indented JSON on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_yaml(value: Any) -> None:
    """Print ``value``, which JSON could hold, as YAML on standard output."""
    import yaml

    plain = json.loads(json.dumps(value, default=str))
    click.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), nl=False)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print ``rows`` as a table on standard output."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    _standard_output().print(table)


def progress_console() -> "Console":
    """The console on standard error, where progress bars go."""
    from rich.console import Console

    return Console(stderr=True)


def _standard_output() -> "Console":
    import sys

    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 140)
