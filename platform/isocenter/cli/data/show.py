"""``isocenter data show``: what a DatasetVersion holds."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json, print_table
from isocenter.cli.paths import INPUT_PATH

if TYPE_CHECKING:
    from isocenter.datasets.reader import Dataset
    from isocenter.datasets.summary import DatasetSummary
    from isocenter.home import Home


@click.command(
    epilog="""\b
Examples:
  isocenter data show
  isocenter data show 3f9a --html report.html
  isocenter data show latest --source /data/xrays"""
)
@click.argument("dataset", default="latest")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a report with a contact sheet (it shows images).",
)
@click.option(
    "--source",
    type=INPUT_PATH,
    help="The folder it was made from: print the paths of files set aside (they may hold patient data).",
)
@click.option("--verify", is_flag=True, help="Check manifest and pixels against their digests first.")
@json_option
def command(dataset: str, html: Path | None, source: Path | None, verify: bool, as_json: bool) -> None:
    """Print counts, classes by split, scanners, ages, sexes, views and quarantine reasons of DATASET.

    DATASET is the start of a digest, a dataset's directory, or `latest` (the default).
    """
    from isocenter.datasets.catalogue import find_dataset
    from isocenter.datasets.summary import summarise
    from isocenter.home import open_home

    home = open_home()
    found = find_dataset(home, dataset)
    if verify:
        found.verify()
    summary = summarise(found)
    named = _named_quarantine(home, source, found) if source else None
    if html:
        _write_html(home, found, summary, html)
    if as_json:
        files = {} if named is None else {"quarantined_files": named}
        print_json(summary.model_dump(mode="json") | files)
        return
    _print(summary, named, verified=verify)
    if html:
        click.echo(f"Report: {html}")


def _write_html(home: "Home", dataset: "Dataset", summary: "DatasetSummary", path: Path) -> None:
    """Write the report; that images leave the store is recorded first."""
    from isocenter.audit.entry import append_entry
    from isocenter.datasets.report import write_report

    append_entry(home, "dataset.report", f"dataset:{summary.digest}", {"images_shown": True})
    write_report(dataset, summary, path)


def _named_quarantine(home: "Home", source: Path, dataset: "Dataset") -> list[dict[str, str]]:
    from isocenter.datasets.quarantine import read_quarantine
    from isocenter.datasets.quarantine_names import name_quarantined, printable

    pairs = name_quarantined(home, source, read_quarantine(dataset.path))
    return [{"file": printable(path), "reason": e.reason, "sentence": e.sentence} for path, e in pairs]


def _print(summary: "DatasetSummary", named: list[dict[str, str]] | None, *, verified: bool) -> None:
    click.echo(f"Dataset {summary.digest}" + (" (verified)" if verified else ""))
    click.echo(
        f"{summary.images} images, {summary.studies} studies, {summary.patients} patients; "
        f"pixels of size {', '.join(map(str, summary.image_sizes))}"
    )
    _print_classes(summary)
    _print_attributes(summary)
    _print_quarantine(summary, named)
    for remark in summary.remarks:
        click.echo(click.style("Look at this: ", fg="yellow") + remark)


def _print_classes(summary: "DatasetSummary") -> None:
    rows: list[tuple[object, ...]] = [
        (
            split.split,
            split.patients,
            split.images,
            *split.by_class,
            f"{split.positive_share:.1%}" if split.images else "",
        )
        for split in summary.splits
    ]
    images = [count.images for count in summary.class_counts]
    rows.append(("all", summary.patients, summary.images, *images, f"{images[1] / summary.images:.1%}"))
    columns = ("split", "patients", "images", *summary.classes, f"share of {summary.classes[1]}")
    print_table("Classes by split", columns, rows)


def _print_attributes(summary: "DatasetSummary") -> None:
    from isocenter.datasets.attribute_display import display_value
    from isocenter.datasets.summary import ATTRIBUTES

    for name in ("scanner", "sex", "age_band", "view", "transfer_syntax"):
        rows = (
            (display_value(name, count.value), count.images, *count.by_class)
            for count in summary.attributes[name]
        )
        print_table(ATTRIBUTES[name], (ATTRIBUTES[name].lower(), "images", *summary.classes), rows)


def _print_quarantine(summary: "DatasetSummary", named: list[dict[str, str]] | None) -> None:
    if summary.ingest:
        facts = summary.ingest
        click.echo(
            f"Last ingest: {facts.files} files, {facts.duplicates} duplicates, "
            f"{facts.labels_without_file} labels without a readable image"
        )
    rows = [(count.reason, count.files, count.sentence) for count in summary.quarantine]
    if rows:
        print_table("Files set aside", ("reason", "files", "why"), rows)
    if named:
        files = ((entry["file"], entry["reason"], entry["sentence"]) for entry in named)
        print_table("Paths of files set aside", ("file", "reason", "why"), files)
