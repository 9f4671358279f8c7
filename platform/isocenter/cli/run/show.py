"""``isocenter run show``: one execution of a job."""

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isocenter.domain.artifact import Artifact
    from isocenter.home import Home
    from isocenter.pipelines.live_run import LiveRun
    from isocenter.registry.runs import Run

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


@click.command(
    epilog="""\b
Examples:
  isocenter run show 01JCY4
  isocenter run show 01JCY4 --json"""
)
@click.argument("run")
@json_option
def command(run: str, as_json: bool) -> None:
    """Print state, attempts, inputs and outputs of RUN (its id, or the beginning of it)."""
    from isocenter.home import open_home
    from isocenter.pipelines.live_run import look
    from isocenter.registry.runs import RunRecords
    from isocenter.storage.database import open_database

    home = open_home()
    records = RunRecords(open_database(home))
    live = look(home, records.get(run))
    body = {**_as_json(live, records.outputs(live.run.id)), "estimated_cost": _cost(home, live.run)}
    if as_json:
        print_json(body)
    else:
        _print(body)


def _as_json(live: "LiveRun", outputs: "tuple[Artifact, ...]") -> dict[str, Any]:
    run = live.run
    return {
        "id": run.id,
        "name": run.name,
        "target": run.target,
        "backend": run.backend,
        "state": live.status.state,
        "exit_code": live.status.exit_code,
        "reason": live.status.reason,
        "created_at": _text(run.created_at),
        "started_at": _text(run.started_at),
        "ended_at": _text(run.ended_at),
        "step_key": run.step_key,
        "submission_digest": run.submission_digest,
        "dataset": _dataset(run.job),
        "image": run.job.get("image"),
        "compute": run.job.get("compute", {}),
        "job": run.job,
        "attempts": [
            {"number": a.number, "external_id": a.external_id, "started_at": _text(a.started_at)}
            for a in run.attempts
        ],
        "outputs": [{"name": o.name, "digest": o.digest, "uri": o.uri, "size": o.size} for o in outputs],
    }


def _cost(home: "Home", run: "Run") -> dict[str, Any] | None:
    """What it may cost by today's list prices; None where nobody bills it, or its target is gone."""
    from isocenter.backends.cost import estimate_cost
    from isocenter.domain.training_job import Compute
    from isocenter.errors import InputError
    from isocenter.targets import find_target

    try:
        cost = estimate_cost(find_target(home, run.target).descriptor, Compute(**run.job["compute"]))
    except InputError:  # the target is gone, or offers such machines no more
        return None
    return None if cost is None else {**asdict(cost), "sentence": cost.sentence}


def _dataset(job: "Mapping[str, Any]") -> str | None:
    """Digest of the dataset that the job reads: its directory and its copies are named by it."""
    name = str(job.get("inputs", {}).get("dataset", "")).rstrip("/").rpartition("/")[2]
    return f"sha256:{name}" if _HEXADECIMAL.fullmatch(name) else None


def _text(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _asked(body: dict[str, Any]) -> list[tuple[str, object]]:
    """What the request asks for."""
    compute = body["compute"]
    return [
        ("gpu", f"{compute['gpu']} x {compute['gpu_count']}" if compute.get("gpu") else "none"),
        ("nodes", compute.get("nodes")),
        ("spot", "yes" if compute.get("spot") else "no"),
        ("max_runtime", _limit(compute.get("max_runtime_s"), body["backend"])),
        ("request", body["submission_digest"]),
        ("dataset", body["dataset"]),
    ]


def _limit(asked_s: int | None, backend: str) -> str:
    from isocenter.backends.time_limit import DEFAULT_S
    from isocenter.domain.compute_words import format_duration

    if asked_s is not None:
        return format_duration(asked_s)
    return "none" if backend == "local" else f"{format_duration(DEFAULT_S)}, as none was asked for"


def _print(body: dict[str, Any]) -> None:
    from isocenter.pipelines.live_run import last_line

    plain = ("id", "name", "target", "backend", "state", "exit_code", "created_at", "started_at", "ended_at")
    fields = [(key, body[key]) for key in plain]
    print_table(f"Run {body['id']}", ("field", "value"), fields + _asked(body))
    if body["reason"]:
        click.echo(f"Reason: {last_line(body['reason'])}")
    click.echo(f"Image: {body['job'].get('image') or 'none: the program installed where it ran'}")
    if body["estimated_cost"]:
        click.echo(f"Cost: {body['estimated_cost']['sentence']}")
    inputs = [("channel", name, uri) for name, uri in body["job"].get("inputs", {}).items()]
    print_table("Inputs", ("kind", "name", "where"), inputs)
    attempts = [(a["number"], a["started_at"], a["external_id"]) for a in body["attempts"]]
    print_table("Attempts", ("number", "begun (UTC)", "known to the backend as"), attempts)
    if body["outputs"]:
        rows = [(o["name"], o["digest"], o["size"], o["uri"]) for o in body["outputs"]]
        print_table("Outputs", ("name", "digest", "bytes", "where"), rows)
