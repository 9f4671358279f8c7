"""``isocenter endpoint status``: what is there, what it did, who changed it and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from isocenter.domain.rollout import Endpoint, Observation
    from isocenter.errors import IsocenterError
    from isocenter.home import Home
    from isocenter.rollouts.records import EndpointRecord, RolloutRecords


@click.command(
    epilog="""\b
Examples:
  isocenter endpoint status
  isocenter endpoint status chest --json"""
)
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """Show the endpoint NAME: versions, weights, requests, errors, latency, history. Without NAME: all.

    Where a target can't be asked, the state is `unknown` and the reason says why; what this store knows is
    shown all the same, and the exit code is 7.
    """
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_records

    home = open_home()
    records = open_records(home)
    if name is None:
        _list(home, records, as_json)
        return
    if not records.history(name, 1):
        records.require(name)
    found, fault = _collect(home, records, name)
    if as_json:
        print_json(found)
    else:
        _print(found)
    _end(as_json, [(name, fault)] if fault else [])


def _list(home: "Home", records: "RolloutRecords", as_json: bool) -> None:
    collected = [_collect(home, records, record.name) for record in records.endpoints()]
    found = [each for each, _ in collected]
    if as_json:
        print_json([{key: each[key] for key in each if key != "history"} for each in found])
    elif not found:
        click.echo("No endpoints yet: isocenter endpoint deploy NAME MODEL --reason ...")
    else:
        rows = [
            (
                e["name"],
                e["target"],
                e["state"],
                _versions(e["variants"]),
                f"{e['url']}\n{e['reason']}".strip(),
            )
            for e in found
        ]
        print_table("Endpoints", ("name", "target", "state", "versions", "url and reason"), rows)
    _end(as_json, [(each["name"], fault) for each, fault in collected if fault is not None])


def _collect(
    home: "Home", records: "RolloutRecords", name: str
) -> "tuple[dict[str, Any], IsocenterError | None]":
    """What is known of an endpoint, and why its target could not be asked."""
    from isocenter.cli.endpoint.telling import step_json
    from isocenter.domain.rollout import Endpoint, EndpointState
    from isocenter.domain.run import RunId
    from isocenter.errors import IsocenterError

    record, fault = records.endpoint(name), None
    there, observed = None, {}  # type: Endpoint | None, Mapping[str, Observation]
    try:
        if record is not None:
            there, observed = _ask(home, record)
    except IsocenterError as error:
        fault = error
        there = Endpoint(name, EndpointState.UNKNOWN, RunId(""), reason=error.message)
    found = {
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
    return found, fault


def _ask(home: "Home", record: "EndpointRecord") -> "tuple[Endpoint | None, Mapping[str, Observation]]":
    """What is there, and what it did."""
    from isocenter.rollouts.opening import open_operations

    server = open_operations(home, record.target).driver.server
    there = server.describe(record.name)
    return there, server.observe(record.name) if there else {}


def _end(as_json: bool, faults: "Sequence[tuple[str, IsocenterError]]") -> None:
    """Fail after all was shown if targets could not be asked; JSON has the reasons already."""
    from isocenter.errors import EnvironmentFaultError

    if faults and as_json:
        raise SystemExit(EnvironmentFaultError.exit_code)
    if faults:
        told = "\n".join(f"  {name}: {fault.message}" for name, fault in faults)
        raise EnvironmentFaultError(f"Could not be asked:\n{told}", hint=faults[0][1].hint)


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
