"""Answers on the terminal or as JSON, while they come in."""

import json
import sys
from collections.abc import Iterable, Sequence

import click

from isocenter_serving.answer import Answer, Refusal


def print_answers(answers: Iterable[Answer], names: Sequence[str | int], *, as_json: bool) -> int:
    """Print each answer when it is there and return how many files were refused.

    Args:
        answers: one a file.
        names: what to call each file.
        as_json: one JSON list instead of lines of text.
    """
    refused = 0
    with _progress(len(names)) as bar:
        for number, (name, answer) in enumerate(zip(names, answers, strict=True)):
            refused += isinstance(answer, Refusal)
            click.echo(_json_item(number, name, answer) if as_json else _line(name, answer))
            bar.update(1)
    if as_json:
        click.echo("]")
    else:
        click.echo(
            f"{len(names) - refused} scored, {refused} refused. For research, not diagnosis.", err=True
        )
    return refused


def _json_item(number: int, name: str | int, answer: Answer) -> str:
    # ASCII only: a file name may hold bytes that are no text.
    return ("[" if number == 0 else ",") + json.dumps({"file": name, **answer.as_json()})


def _line(name: str | int, answer: Answer) -> str:
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(name))
    if isinstance(answer, Refusal):
        return f"  –    refused ({answer.reason})  {shown}: {answer.message}"
    return f"{answer.score:.3f}  {answer.decision}  {shown}"


def _progress(total: int) -> "click._termui_impl.ProgressBar[int]":
    """A bar on standard error, unless the answers themselves scroll there or it is no terminal."""
    visible = sys.stderr.isatty() and not sys.stdout.isatty()
    return click.progressbar(length=total, file=sys.stderr, label="predict", hidden=not visible)
