"""``python -m isocenter_serving``: predictions at the command line."""

import sys
from pathlib import Path

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
