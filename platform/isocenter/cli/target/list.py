"""``isocenter target list``: the places to train and serve that this store knows."""

from typing import Any

import click

from isocenter.cli.output import json_option, print_json, print_table


@click.command(
    epilog="""\b
Example:
  isocenter target list --json

`local` is this machine. Every deployment descriptor adds one: a JSON file in $ISOCENTER_DEPLOYMENTS, else in
`deployments` in the current folder if that is there, else in `deployments` in the store."""
)
@json_option
def command(as_json: bool) -> None:
    """List the targets that this store knows, and whether their backend is installed."""
    from isocenter.backends.base import available_backends, install_hint
    from isocenter.home import open_home
    from isocenter.targets import list_targets

    installed = available_backends()
    targets, wrong = list_targets(open_home())
    rows = [
        {
            "name": target.name,
            "backend": target.backend,
            "provider": target.provider,
            "region": target.region,
            "residency": target.residency,
            "origin": target.origin,
            "installed": target.backend in installed,
            "install": "" if target.backend in installed else install_hint(target.backend),
        }
        for target in targets
    ]
    if as_json and not wrong:
        print_json(rows)
    elif not as_json:
        _print(rows)
    for error in wrong:  # the first: a broken file hides no other target, and is no success
        error.facts = {"targets": rows}
        raise error


def _print(rows: list[dict[str, Any]]) -> None:
    columns = ("target", "backend", "provider", "region", "residency", "from", "usable here")
    print_table(
        "Targets",
        columns,
        (
            (
                row["name"],
                row["backend"],
                row["provider"],
                row["region"],
                row["residency"],
                row["origin"],
                "yes" if row["installed"] else f"no: {row['install'] or 'no such backend'}",
            )
            for row in rows
        ),
    )
