"""``python -m isocenter_serving``: predictions at the command line, and over HTTP."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


@click.group(help="Score DICOM X-rays with a registered bundle.")
def serving() -> None:
    """Group of the serving program's verbs."""


@serving.command(
    help="""Score DICOM files, or all files in folders, with the model in BUNDLE.

    Ends with 0 when every file got a score and with 3 when any was refused; the others' answers are printed
    all the same.

    Example: python -m isocenter_serving predict --bundle model/ --json chest1.dcm chest2.dcm
    """
)
@click.option("--bundle", required=True, type=click.Path(path_type=Path), help="Directory of the model.")
@click.option("--digest", help="Digest that the bundle's files must have (sha256:...).")
@click.option("--name", help="Registered name of the model, repeated in the answers.")
@click.option("--number", type=int, help="Number of the model's version, repeated in the answers.")
@click.option("--threads", type=click.IntRange(1), help="Threads of one call of the network.")
@click.option("--by-position", is_flag=True, help="Name files by position instead of by path.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list on standard output.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def predict(
    bundle: Path,
    digest: str | None,
    name: str | None,
    number: int | None,
    threads: int | None,
    by_position: bool,
    as_json: bool,
    files: tuple[Path, ...],
) -> None:
    """Print one answer a file."""
    from isocenter_serving.predictor import Predictor
    from isocenter_serving.printing import print_answers
    from isocenter_serving.source_files import list_files

    predictor = Predictor(bundle, expected_digest=digest, name=name, version=number, threads=threads)
    paths = list(list_files(files))
    names: list[str | int] = list(range(len(paths))) if by_position else [str(path) for path in paths]
    refused = print_answers(predictor.predict(paths), names, as_json=as_json)
    if refused:
        raise click.exceptions.Exit(3)


def _option(name: str, **settings: Any) -> "Callable[[Callable[..., None]], Callable[..., None]]":
    """An option that a container's environment may give too."""
    variable = "ISOCENTER_SERVING_" + name.removeprefix("--").replace("-", "_").upper()
    return click.option(name, envvar=variable, show_envvar=True, **settings)


@serving.command(
    help="""Answer predictions over HTTP with the model in --bundle, until SIGTERM.

    What a cloud's service (SageMaker, Vertex AI, Azure ML) leaves in its container is recognised; an option
    overrules it. The routes are described at /openapi.json.

    Example: python -m isocenter_serving serve --bundle model/ --access fronted:sagemaker --port 8080
    """
)
@_option("--bundle", help="Directory or URI of the model.")
@_option("--digest", help="Digest that the bundle's files must have (sha256:...).")
@_option("--name", help="Registered name of the model, repeated in the answers.")
@_option("--number", type=int, help="Number of the model's version, repeated in the answers.")
@_option("--access", help="Who may ask: fronted:SERVICE, or a JSON object with issuer and audience.")
@_option("--host", default="0.0.0.0", show_default=True, help="Address to listen at.")  # noqa: S104
@_option("--port", type=click.IntRange(1, 65535), help="Port to listen at.  [default: 8080]")
@_option("--socket", type=click.Path(path_type=Path), help="Unix socket to listen at instead.")
@_option("--admin-port", type=click.IntRange(1, 65535), help="Second port: health and /metrics, no token.")
@_option("--tls-certificate", type=click.Path(path_type=Path), help="PEM; TLS then. Not with --socket.")
@_option("--tls-key", type=click.Path(path_type=Path), help="PEM of its key.")
@_option("--tls-client-ca", type=click.Path(path_type=Path), help="PEM of whose clients are let in.")
@_option("--workers", type=click.IntRange(1), help="Processes that predict.  [default: as many as cores]")
@_option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Threads of one call.")
@_option("--batch-size", type=click.IntRange(1), default=8, show_default=True, help="Most images a call.")
@_option("--batch-wait-ms", type=click.FloatRange(0), default=5, show_default=True, help="Wait for company.")
@_option("--queue", type=click.IntRange(1), default=128, show_default=True, help="Images that may wait.")
@_option("--explanations", type=click.IntRange(1), default=2, show_default=True, help="Made at once.")
@_option("--body-mib", type=click.IntRange(1), default=64, show_default=True, help="Largest request.")
@_option("--held-mib", type=click.IntRange(1), default=256, show_default=True, help="All requests together.")
@_option(
    "--json-values", type=click.IntRange(1), default=2_000_000, show_default=True, help="In a JSON body."
)
@_option("--deadline-s", type=click.FloatRange(0.001), default=30, show_default=True, help="For an answer.")
@_option("--body-s", type=click.FloatRange(0.001), default=60, show_default=True, help="For a whole body.")
@_option("--pause-s", type=click.FloatRange(0.001), default=15, show_default=True, help="For its next byte.")
@_option("--capture-dir", type=click.Path(path_type=Path), help="Folder for features and denials.")
@_option("--capture-percent", type=click.IntRange(0, 100), default=100, show_default=True, help="Of images.")
@_option("--capture-limit-mib", type=click.IntRange(1), default=256, show_default=True, help="Of the folder.")
@_option(
    "--answers",
    type=click.Choice(["any", "json"]),
    default="any",
    show_default=True,
    help="json: no pictures and no DICOM objects, because the service in front keeps answers.",
)
@_option("--grace-s", type=click.IntRange(1), default=60, show_default=True, help="For requests at SIGTERM.")
def serve(**given: Any) -> None:
    """Run until told to end."""
    from isocenter_serving.process import run
    from isocenter_serving.settings import settings_from

    run(settings_from(given, os.environ))


def main() -> None:
    """Run and exit; errors of ours become a message, a hint and an exit code."""
    from isocenter.cli.failure import report_failure

    try:
        code = serving.main(prog_name="python -m isocenter_serving", standalone_mode=False)
    except BaseException as error:
        sys.exit(report_failure(error))
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
