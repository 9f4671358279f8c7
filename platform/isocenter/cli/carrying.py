"""What a verb that changed a model does about its mirrors: one try now, told in a line each."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isocenter.home import Home
    from isocenter.registry.models import ModelRegistry


def carry_now(home: "Home", registry: "ModelRegistry", *, briefly: bool = False) -> list[dict[str, Any]]:
    """Try to carry what is due. A mirror that fails is told of, never an error: it is carried later.

    Args:
        home: the store.
        registry: says what mirrors should hold.
        briefly: give up after some seconds.

    Returns:
        one entry a mirror that changed or could not be reached: version, target, state, error.
    """
    from isocenter.mirrors.delivery import deliver
    from isocenter.storage.database import open_database

    found = deliver(home, open_database(home), registry, briefly=briefly)
    return [
        {"version": d.record.reference, "target": d.record.target, "state": d.state, "error": d.error}
        for d in found
        if d.state in ("carried", "failed")
    ]


def tell_carried(mirrors: list[dict[str, Any]]) -> None:
    """Print a line for each of ``mirrors``; what can't be reached is named once."""
    failed: dict[tuple[str, str], list[str]] = {}
    for each in mirrors:
        if each["state"] == "carried":
            click.echo(f"Mirror  {each['version']} is in the registry of {each['target']}")
        else:
            failed.setdefault((each["target"], each["error"]), []).append(each["version"])
    for (target, error), versions in failed.items():
        what = versions[0] if len(versions) == 1 else f"{len(versions)} versions"
        click.echo(
            click.style("Note: ", fg="yellow")
            + f"the registry of {target} doesn't hold {what} as it is now: {error.rstrip('.')};"
            " isocenter model mirror carries it later, nothing is lost."
        )
