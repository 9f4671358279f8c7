"""``isocenter run check``: the rules for jobs, held against a request in a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json, print_table
from isocenter.cli.paths import INPUT_PATH

if TYPE_CHECKING:
    from isocenter.policy import Verdict
    from isocenter.policy.submission_file import KeptSubmission
    from isocenter.targets.descriptor import DeploymentDescriptor

_REFUSED = 8


@click.command(
    epilog="""\b
Examples:
  isocenter pipeline run --data /data/xrays --target aws-prod --dry-run > request.json
  isocenter run check request.json
  isocenter run check golden.yaml --target aws-prod --json

Neither network nor credentials are needed. Exit codes: 0 every rule is kept, 3 the file is no request,
6 it was changed after it was printed, 8 a rule is broken."""
)
@click.argument("file", type=INPUT_PATH)
@click.option("--target", default="", help="Where it is to go.  [default: as the file says]")
@click.option(
    "--no-target", is_flag=True, help="Leave out the rules that only a target's descriptor can tell."
)
@json_option
def command(file: Path, target: str, no_target: bool, as_json: bool) -> None:
    """Hold the rules for jobs against the request in FILE (JSON or YAML, as --dry-run prints it)."""
    from isocenter.policy import check
    from isocenter.policy.submission_file import read_submission

    if target and no_target:
        raise click.UsageError("--no-target goes without --target.")
    kept = read_submission(file)
    place = None if no_target else _descriptor(kept, target)
    verdict = check(kept.submission, place)
    if as_json:
        print_json({"file": file.name, "target": place and place.name, **verdict.as_json()})
    else:
        _print(verdict, kept, place)
    if verdict.findings:
        raise click.exceptions.Exit(_REFUSED)


def _descriptor(kept: "KeptSubmission", named: str) -> "DeploymentDescriptor | None":
    from isocenter.errors import InputError, NotFoundError
    from isocenter.home import open_home
    from isocenter.targets import find_target

    name, backend = named or kept.target, kept.submission.backend
    if not name:
        return None
    try:
        place = find_target(open_home(), name)
    except NotFoundError as error:
        raise NotFoundError(
            error.message,
            hint=f"{error.hint} --no-target checks without what only its descriptor can tell.",
        ) from error
    if place.backend != backend:
        raise InputError(f"The request is one for {backend}; the target {name} is one of {place.backend}.")
    return place.descriptor


def _print(verdict: "Verdict", kept: "KeptSubmission", place: "DeploymentDescriptor | None") -> None:
    if verdict.findings:
        rows = [
            (f.rule.severity, f.rule.id, f"{f.flaw.place} {f.flaw.what}", f.rule.fix)
            for f in verdict.findings
        ]
        print_table("Findings", ("severity", "rule", "what", "fix"), rows)
    where = f" for {place.name}" if place else ""
    broken = len({finding.rule.id for finding in verdict.findings})
    click.echo(
        f"{kept.submission.backend} request {kept.submission.digest}{where}:"
        f" {broken} rules broken, {len(verdict.kept)} kept, {len(verdict.not_checked)} not checked."
    )
    if verdict.not_checked:
        left_out = ", ".join(verdict.not_checked)
        click.echo(
            f"NOT CHECKED, as only a target's descriptor tells: {left_out}. Name it: --target.", err=True
        )
