"""``isocenter data ingest``: a folder of labelled DICOM X-rays becomes a DatasetVersion."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_table, progress_console
from isocenter.cli.paths import INPUT_PATH

if TYPE_CHECKING:
    from isocenter.datasets import IngestResult, Progress
    from isocenter.home import Home


@click.command(
    epilog="""\b
Examples:
  isocenter data ingest /data/xrays --labels /data/labels.csv
  isocenter data ingest /data/by-class --classes normal,effusion --size 224
  isocenter data ingest /media/cdrom/DICOMDIR --labels labels.csv

The labels are a CSV (comma, semicolon or tab; UTF-8, UTF-16 or cp1252) with a column SOPInstanceUID,
StudyInstanceUID, AccessionNumber or PatientID, and a column label: class names, or 0 and 1. Without
--labels, each file belongs to the nearest folder above it that is named like a class.

Run the same command again after a stop of any kind: it continues. What was read and hasn't changed is not
read again."""
)
@click.argument("source", metavar="SRC", type=INPUT_PATH)
@click.option("--labels", type=INPUT_PATH, help="Table of labels; without it, folder names.")
@click.option(
    "--classes",
    default="normal,pneumonia",
    show_default=True,
    help="Names of the two classes, the negative one first.",
)
@click.option(
    "--size", default=128, show_default=True, type=int, help="Rows and columns of the cached pixels."
)
@click.option("--processes", type=click.IntRange(min=1), help="Reading processes.  [default: one a core]")
@click.option(
    "--list-quarantine",
    is_flag=True,
    help="Print the path and reason of each file set aside (paths may hold patient data).",
)
@json_option
def command(
    source: Path,
    labels: Path | None,
    classes: str,
    size: int,
    processes: int | None,
    list_quarantine: bool,
    as_json: bool,
) -> None:
    """Read the labelled DICOM X-rays under SRC, a folder or a DICOMDIR, into the store.

    Of a folder every file is looked at, also beside a DICOMDIR; of a DICOMDIR, the files that it names.
    Files that can't be used are set aside with a reason. Prints the digest of the DatasetVersion.
    """
    from isocenter.datasets import ingest
    from isocenter.home import open_home

    home = open_home()
    with _progress_bar() as progress:
        result = ingest(
            home,
            source,
            labels=labels,
            classes=_two_names(classes),
            image_size=size,
            processes=processes,
            progress=progress,
        )
    _audit(home, result)
    named = _named_quarantine(home, source, result) if list_quarantine else None
    if as_json:
        print_json(_as_json(result) | ({} if named is None else {"quarantined_files": named}))
    else:
        _print(result, named)


def _two_names(classes: str) -> tuple[str, str]:
    names = [name.strip() for name in classes.split(",")]
    if len(names) != 2:
        raise click.BadParameter("two names with a comma between them", param_hint="--classes")
    return names[0], names[1]


@contextmanager
def _progress_bar() -> Iterator[Callable[["Progress"], None]]:
    """A bar on standard error: files done, files a second, time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    words = {
        "listing": "Listing files",
        "reading": "Reading files",
        "publishing": "Writing the dataset",
        "waiting": "Another ingest of this source is running; waiting for it",
    }
    console = progress_console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, rate="")

        def show(progress: "Progress") -> None:
            # Not a terminal: no bar is drawn, and who waits should still learn why.
            if progress.stage == "waiting":
                console.print(words["waiting"] + ".")
            speed = bar.tasks[0].speed
            rate = f"{speed:.0f} files/s" if speed and progress.stage == "reading" else ""
            total = progress.total or None
            bar.update(
                task, description=words[progress.stage], completed=progress.done, total=total, rate=rate
            )

        yield show


def _audit(home: "Home", result: "IngestResult") -> None:
    """Record the ingest, unless it found nothing new."""
    from isocenter.audit.entry import append_entry

    if result.unchanged and not result.decoded:
        return
    names = ("images", "patients", "decoded", "reused", "duplicates", "quarantined", "labels_without_file")
    body = _as_json(result)
    append_entry(
        home, "dataset.ingest", f"dataset:{result.dataset.digest}", {name: body[name] for name in names}
    )


def _named_quarantine(home: "Home", source: Path, result: "IngestResult") -> list[dict[str, str]]:
    from isocenter.datasets.quarantine import read_quarantine
    from isocenter.datasets.quarantine_names import name_quarantined, printable

    pairs = name_quarantined(home, source, read_quarantine(result.path))
    return [{"file": printable(path), "reason": e.reason, "sentence": e.sentence} for path, e in pairs]


def _as_json(result: "IngestResult") -> dict[str, Any]:
    return {
        "digest": result.dataset.digest,
        "path": str(result.path),
        "classes": list(result.dataset.classes),
        "images": result.dataset.images,
        "patients": result.dataset.patients,
        "decoded": result.decoded,
        "reused": result.reused,
        "duplicates": result.duplicates,
        "quarantined": dict(result.quarantined),
        "labels_without_file": result.labels_without_file,
        "unchanged": result.unchanged,
    }


def _print(result: "IngestResult", named: list[dict[str, str]] | None) -> None:
    from isocenter.datasets.catalogue import short_digest

    version = result.dataset
    state = " (unchanged: nothing new since the last ingest of this source)" if result.unchanged else ""
    click.echo(f"Dataset {version.digest}{state}")
    click.echo(
        f"{version.images} images of {version.patients} patients; "
        f"{result.decoded} files read now, {result.reused} before, {result.duplicates} duplicates"
    )
    if result.labels_without_file:
        click.echo(f"{result.labels_without_file} labels name no image that could be read")
    if result.quarantined:
        total = sum(result.quarantined.values())
        print_table(f"{total} files set aside", ("reason", "files"), result.quarantined.items())
    if named:
        rows = ((entry["file"], entry["reason"], entry["sentence"]) for entry in named)
        print_table("Files set aside", ("file", "reason", "why"), rows)
    click.echo(f"Look at it: isocenter data show {short_digest(version.digest)}")
