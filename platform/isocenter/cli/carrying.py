"""What a verb that changed a model does about its mirrors: one try now, told in a line each."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isocenter.home import Home
    from isocenter.registry.models import ModelRegistry


def carry_now(home: "Home", registry: "ModelRegistry") -> list[dict[str, Any]]:
    """Try to carry what is due. A mirror that fails is told of, never an error: it is carried later.

    Args:
        home: the store.
        registry: says what mirrors should hold.

    Returns:
        one entry a mirror that changed or could not be reached: version, target, state, error.
    """
    from isocenter.mirrors.delivery import deliver
    from isocenter.storage.database import open_database

    found = deliver(home, open_database(home), registry)
    return [
        {"version": d.record.reference, "target": d.record.target, "state": d.state, "error": d.error}
        for d in found
        if d.state in ("carried", "failed")
    ]


def tell_carried(mirrors: list[dict[str, Any]]) -> None:
    """Print a line for each of ``mirrors``."""
    for each in mirrors:
        if each["state"] == "carried":
            click.echo(f"Mirror  {each['version']} is in the registry of {each['target']}")
        else:
            click.echo(
                click.style("Note: ", fg="yellow") + f"{each['target']} has not got it yet: {each['error']}"
            )
            click.echo("        isocenter model mirror carries it later; nothing is lost.")
