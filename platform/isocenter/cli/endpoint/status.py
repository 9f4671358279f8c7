"""``isocenter endpoint status``: what is there, what it did, who changed it and why."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from isocenter.home import Home
    from isocenter.rollouts.records import RolloutRecords


@click.command(
    epilog="""\b
Examples:
  isocenter endpoint status
  isocenter endpoint status chest --json"""
)
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """Show the endpoint NAME: versions, weights, requests, errors, latency, history. Without NAME: all."""
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_records

    home = open_home()
    records = open_records(home)
    if name is None:
        _list(home, records, as_json)
        return
    if not records.history(name, 1):
        records.require(name)
    found = _collect(home, records, name)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _list(home: "Home", records: "RolloutRecords", as_json: bool) -> None:
    found = [_collect(home, records, record.name) for record in records.endpoints()]
    if as_json:
        print_json([{key: each[key] for key in each if key != "history"} for each in found])
    elif not found:
        click.echo("No endpoints yet: isocenter endpoint deploy NAME MODEL --reason ...")
    else:
        rows = [(e["name"], e["target"], e["state"], _versions(e["variants"]), e["url"]) for e in found]
        print_table("Endpoints", ("name", "target", "state", "versions", "url"), rows)


def _collect(home: "Home", records: "RolloutRecords", name: str) -> dict[str, Any]:
    from isocenter.cli.endpoint.telling import step_json
    from isocenter.rollouts.opening import open_operations

    record = records.endpoint(name)
    server = open_operations(home, record.target).driver.server if record else None
    there = server.describe(name) if server else None
    observed = server.observe(name) if server and there else {}
    return {
        "name": name,
        "target": record.target if record else None,
        "alias": record.alias if record else None,
        "state": there.state.value if there else "absent",
        "reason": there.reason if there else "",
        "url": there.url if there else "",
        "variants": [asdict(variant) for variant in there.variants] if there else [],
        "observed": {reference: asdict(seen) for reference, seen in observed.items()},
        "history": [step_json(step) for step in records.history(name)],
    }


def _versions(variants: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"{v['reference']} {'shadow' if v['shadow'] else str(v['weight']) + ' %'}" for v in variants
    )


def _print(found: dict[str, Any]) -> None:
    facts = [(key, found[key]) for key in ("target", "alias", "state", "reason", "url") if found[key]]
    print_table(found["name"], ("", ""), facts)
    rows = [_variant_row(variant, found["observed"]) for variant in found["variants"]]
    if rows:
        columns = ("version", "weight", "state", "requests", "errors", "abstained", "p99 s", "shift")
        print_table("Since the present split began", columns, rows)
    steps = [
        (s["created_at"][:19], s["kind"], s["state"], _split(s), s["actor"], s["reason"], s["outcome"])
        for s in found["history"]
    ]
    print_table("History", ("at (UTC)", "step", "state", "versions", "by", "why", "outcome"), steps)


def _variant_row(variant: dict[str, Any], observed: dict[str, Any]) -> tuple[object, ...]:
    seen = observed.get(variant["reference"])
    weight = "shadow" if variant["shadow"] else f"{variant['weight']} %"
    if seen is None:
        return (variant["reference"], weight, variant["state"], "", "", "", "", "")
    shift = seen["comparison"]["mean_shift"]
    counts = (seen["requests"], seen["errors"], seen["abstained"], seen["p99_s"])
    return (
        variant["reference"],
        weight,
        variant["state"],
        *counts,
        "" if shift is None else f"{shift:.4f} ({seen['comparison']['pairs']})",
    )


def _split(step: dict[str, Any]) -> str:
    return ", ".join(
        f"{v['version']} {'shadow' if v['shadow'] else str(v['weight']) + ' %'}" for v in step["variants"]
    )
