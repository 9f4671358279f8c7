"""``isocenter pipeline step``: one step by itself, at the site or in a service's container."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isocenter.pipelines.gate import GateResult
    from isocenter.pipelines.training_request import TrainingRequest

_NAMES = ("ingest", "validate", "train", "evaluate", "gate", "register")
_LARGEST_REQUEST = 4 << 20


@click.command(
    epilog="""\b
Examples:
  isocenter pipeline step train --request request.json --target aws-prod
  isocenter pipeline step gate --evaluation gs://models/run/output --acceptance rules.yaml --out verdict/
  isocenter pipeline step register --model M --output O --evaluation E --verdict V --facts JSON --out gs://...

Compiled pipelines call it. With --request it does one step in this store, whose earlier steps must have been
done (Airflow). Without, it is the program of a container that knows no store: gate judges an evaluation,
register leaves the model for the site (isocenter pipeline collect).
Exit codes: 3 bad input, 4 the gate refused the model, 5 a job failed, 7 worth another try."""
)
@click.argument("name", type=click.Choice(_NAMES))
@click.option("--request", "request_file", type=click.File("r"), help="The pipeline's request; - is stdin.")
@click.option("--target", default="local", show_default=True, help="Where a job runs, with --request.")
@click.option("--evaluation", metavar="PLACE", help="Directory or URI of what evaluate left.")
@click.option("--model", metavar="PLACE", help="Of train's model.")
@click.option("--output", metavar="PLACE", help="Of train's other files.")
@click.option("--verdict", metavar="PLACE", help="Of what gate left.")
@click.option(
    "--acceptance", multiple=True, metavar="FILE|JSON", help="Acceptance rules; JSON may come in pieces."
)
@click.option("--facts", multiple=True, metavar="JSON", help="What register says of the pipeline; in pieces.")
@click.option("--out", metavar="PLACE", help="Directory or URI to write to.")
def command(name: str, request_file: Any, target: str, **options: Any) -> None:
    """Do the step NAME."""
    if request_file is not None:
        _at_site(name, _read(request_file), target)
    elif name == "gate":
        _gate(options)
    elif name == "register":
        _register(options)
    else:
        raise click.UsageError(f"{name} needs --request.")


def _read(stream: Any) -> "TrainingRequest":
    import json

    from isocenter.errors import InputError
    from isocenter.pipelines.request_document import read_document

    try:
        value = json.loads(stream.read(_LARGEST_REQUEST))
    except (ValueError, OSError) as error:
        raise InputError("The request is no JSON.") from error
    if not isinstance(value, dict):
        raise InputError("The request is no JSON object.")
    return read_document(value)


def _at_site(name: str, request: "TrainingRequest", target: str) -> None:
    from isocenter.cli.pipeline.opening import try_plan_here, watched_pipeline
    from isocenter.home import open_home
    from isocenter.pipelines.executions import remember_local
    from isocenter.pipelines.one_step import run_one_step
    from isocenter.pipelines.summary import step_rows
    from isocenter.targets import find_target

    home = open_home()
    place = find_target(home, target)
    with watched_pipeline(home, place, request) as (pipeline, runner):
        try_plan_here(pipeline, place)
        remember_local(home, pipeline.request, place.name, pipeline.fingerprint)
        result = run_one_step(runner, pipeline.steps(), name)
    click.echo(f"{result.name}: {result.state}, key {result.key}")
    for row in step_rows(home, [result]):
        if row["reused"] is not None:
            click.echo(row["reused"]["sentence"])


def _gate(options: dict[str, Any]) -> None:
    from isocenter.domain.evaluation import EvaluationReport
    from isocenter.pipelines.gate import apply_gate, refuse_unless_passed
    from isocenter.pipelines.places import files_of, put_files, scratch_folder
    from isocenter.pipelines.registration_file import VERDICT

    _need(options, "evaluation", "acceptance")
    acceptance = _acceptance("".join(options["acceptance"]))
    with scratch_folder() as scratch:
        folder = files_of(options["evaluation"], scratch / "evaluation")
        result = apply_gate(_evaluation(folder, EvaluationReport), acceptance)
        _show(result)
        if options["out"]:
            (scratch / "verdict").mkdir()
            (scratch / "verdict" / VERDICT).write_text(_json(result.as_json()))
            put_files(scratch / "verdict", options["out"], last=VERDICT)
    refuse_unless_passed(result, report=Path("report.html"))


def _register(options: dict[str, Any]) -> None:
    import json

    from isocenter.errors import InputError
    from isocenter.pipelines.registration_file import PARTS, leave_registration

    _need(options, *PARTS, "verdict", "facts", "out")
    try:
        facts = json.loads("".join(options["facts"]))
    except ValueError as error:
        raise InputError("--facts is no JSON.") from error
    places = {part: options[part] for part in PARTS}
    left = leave_registration(places, options["verdict"], facts, options["out"])
    click.echo(f"Left {left.name} ({left.digests['model']}) at {options['out']} for the site to take up.")


def _need(options: dict[str, Any], *names: str) -> None:
    missing = [f"--{name}" for name in names if not options[name]]
    if missing:
        raise click.UsageError(f"Without --request, this step needs {', '.join(missing)}.")


def _acceptance(text: str) -> Any:
    from isocenter.pipelines.acceptance import load_acceptance, parse_acceptance

    return parse_acceptance(text) if text.lstrip().startswith("{") else load_acceptance(Path(text))


def _evaluation(folder: Path, model: Any) -> Any:
    from isocenter.errors import InputError

    try:
        return model.model_validate_json((folder / "evaluation.json").read_bytes())
    except (OSError, ValueError) as error:
        raise InputError("There is no evaluation.json that can be read among what evaluate left.") from error


def _show(result: "GateResult") -> None:
    for check in result.checks:
        value = "-" if check.value is None else f"{check.value:.3f}"
        click.echo(f"{check.verdict:<8}{check.rule}: {value}{f' ({check.note})' if check.note else ''}")


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, sort_keys=True) + "\n"
