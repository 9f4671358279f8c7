"""How endpoints and their steps are told, the same in every verb."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isocenter.domain.rollout import Endpoint
    from isocenter.rollouts.driver import Watcher
    from isocenter.rollouts.gates import GateResult
    from isocenter.rollouts.operations import Operations, Planned
    from isocenter.rollouts.records import Step


def step_json(step: "Step") -> dict[str, Any]:
    """The fields of ``step``, JSON-able."""
    return {
        "rollout": step.rollout.id,
        "kind": step.kind.value,
        "state": step.state.value,
        "variants": [
            {"version": v.reference, "digest": v.digest, "weight": v.weight, "shadow": v.shadow}
            for v in step.rollout.variants
        ],
        "gates": step.gates and step.gates.as_json(),
        "promotes": step.promotes,
        "back_to": step.back_to,
        "actor": step.actor,
        "reason": step.reason,
        "outcome": step.outcome,
        "created_at": step.created_at.isoformat(),
        "ended_at": step.ended_at and step.ended_at.isoformat(),
    }


def finish(operations: "Operations", planned: "Planned", *, dry_run: bool, as_json: bool) -> None:
    """Print the very request that would be sent; or do it, and say what is in force then."""
    from isocenter.cli.output import print_json

    if dry_run:
        print_json(_planned_json(planned))
        return
    step = operations.run(planned)
    name = step.rollout.endpoint
    found = operations.driver.server.describe(name)
    url = found.url if found else ""
    if as_json:
        print_json({"endpoint": name, "url": url, "step": step_json(step)})
        return
    click.echo(f"{name} serves {_split_text(step)}" + (f" at {url}" if url else ""))
    click.echo(f"Next      isocenter endpoint status {name}")


def _split_text(step: "Step") -> str:
    return ", ".join(
        f"{v.reference} {'as shadow' if v.shadow else f'{v.weight} %'}" for v in step.rollout.variants
    )


def _planned_json(planned: "Planned") -> dict[str, Any]:
    return {
        "target": planned.step.rollout.target,
        "server": planned.submission.backend,
        "step": step_json(planned.step),
        "digest": planned.submission.digest,
        "request": dict(planned.submission.request),
    }


def watcher(*, quiet: bool) -> "Watcher":
    """Tells on standard error how a step goes on, when that has changed."""
    last = [""]

    def told(step: "Step", endpoint: "Endpoint | None", gates: "tuple[GateResult, ...]") -> None:
        if gates:
            text = "; ".join(f"{'ok' if gate.holds else '--'} {gate.text}" for gate in gates)
        elif endpoint is not None:
            versions = ", ".join(f"{v.reference} {v.state}" for v in endpoint.variants)
            text = f"{endpoint.state.value}: {versions or 'nothing yet'}"
        else:
            return
        line = f"{step.kind.value} {step.rollout.endpoint}  {text}"
        if line != last[0] and not quiet:
            click.echo(line, err=True)
            last[0] = line

    return told
