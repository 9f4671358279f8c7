"""``isocenter doctor``: what this machine lacks, and how to get it."""

from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from isocenter.doctor import Check


@click.command(
    epilog="""\b
Example:
  isocenter doctor --json

Ends with 0 when everything that training and serving on this machine need is there, else with 7."""
)
@json_option
def command(as_json: bool) -> None:
    """Check Python, packages, decoders, torch, GPU, store, database and programs."""
    from isocenter.doctor import examine
    from isocenter.errors import EnvironmentFaultError

    checks = list(examine())
    if as_json:
        print_json([_as_json(check) for check in checks])
    else:
        rows = [(c.name, _state(c), c.detail, c.remedy) for c in checks]
        print_table("This machine", ("what", "state", "found", "how to get it"), rows)
    failing = [check.name for check in checks if check.fails]
    if not failing:
        return
    if as_json:
        raise click.exceptions.Exit(EnvironmentFaultError.exit_code)
    raise EnvironmentFaultError(
        f"This machine lacks what Isocenter needs: {', '.join(failing)}.",
        hint="The table says how to get it.",
    )


def _state(check: "Check") -> str:
    return f"{check.state.value}, required" if check.fails else check.state.value


def _as_json(check: "Check") -> dict[str, object]:
    return {
        "name": check.name,
        "state": check.state.value,
        "required": check.required,
        "detail": check.detail,
        "remedy": check.remedy,
    }
