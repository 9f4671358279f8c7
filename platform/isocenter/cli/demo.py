"""``isocenter demo``: a synthetic set of chest X-rays to try everything out with."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, progress_console

if TYPE_CHECKING:
    from isocenter.demo import DemoSet


@click.command(
    epilog="""\b
Examples:
  isocenter demo --out demo
  isocenter demo --out demo --patients 160     adds patients to the set
  isocenter demo --out small --patients 40 --size 256 --seed 3

The images come from a drawn thorax (anatomy differs from patient to patient) and four invented systems that
differ in polarity, bits, window, transfer syntax, resolution and noise. Every identifier in the headers holds
the word CANARY, so that `grep -r CANARY` over a store shows whether one got out of its source folder.

The same command writes the same bytes; files that are there already are left alone."""
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write to: new, empty, or with an earlier set.",
)
@click.option("--patients", default=120, show_default=True, type=int, help="Patients, half of them ill.")
@click.option("--seed", default=7, show_default=True, type=int, help="Another seed draws other patients.")
@click.option(
    "--size", default=512, show_default=True, type=int, help="Pixels along the largest images' longer side."
)
@json_option
def command(out: Path, patients: int, seed: int, size: int, as_json: bool) -> None:
    """Write a synthetic chest X-ray set as DICOM, with labels.

    OUT/dicom and OUT/labels.csv are what `pipeline run` takes; OUT/unseen holds two files of other patients
    for `predict`; OUT/card.yaml is the model card's part that people write.
    """
    from isocenter.demo import write_demo_set

    with _progress_bar() as progress:
        written = write_demo_set(out, patients=patients, seed=seed, size=size, progress=progress)
    if as_json:
        print_json(_as_json(written))
    else:
        _print(written)


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("Drawing images"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _as_json(written: "DemoSet") -> dict[str, Any]:
    return {
        "folder": str(written.folder),
        "labels": str(written.labels),
        "unseen": [str(path) for path in written.unseen],
        "card": str(written.card),
        "images": written.images,
        "patients": written.patients,
        "written": written.written,
    }


def _print(written: "DemoSet") -> None:
    import shlex

    state = f"{written.written} files written" if written.written else "nothing to write: all is there"
    click.echo(f"{written.images} images of {written.patients} patients in {written.folder} ({state})")
    folder, labels, card = (shlex.quote(str(path)) for path in (written.folder, written.labels, written.card))
    click.echo(f"Next: isocenter pipeline run --data {folder} --labels {labels} --card {card}")
