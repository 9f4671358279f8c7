"""The datasets of a store: list them, find one by what a person types."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from isocenter.datasets.ingest_facts import read_facts
from isocenter.datasets.reader import RECORD_NAME, Dataset, open_dataset
from isocenter.errors import InputError, NotFoundError
from isocenter.home import Home

LATEST = "latest"
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{1,64}")
_SHORT = 12


@dataclass(frozen=True)
class Listing:
    """One dataset of the store.

    Args:
        dataset: opened.
        ingested_at: when a source last gave it.
    """

    dataset: Dataset
    ingested_at: datetime


def list_datasets(home: Home) -> list[Listing]:
    """The store's datasets, the last ingested first; what can't be understood is left out."""
    listings = []
    for path in home.datasets.glob(f"*/{RECORD_NAME}"):
        try:
            dataset = open_dataset(path.parent)
        except InputError:
            continue
        facts = read_facts(path.parent)
        listings.append(Listing(dataset, facts.ingested_at if facts else dataset.record.created_at))
    return sorted(listings, key=lambda listing: listing.ingested_at, reverse=True)


def find_dataset(home: Home, reference: str) -> Dataset:
    """The dataset that ``reference`` names: the start of a digest, ``latest``, or a dataset's directory.

    Raises:
        NotFoundError: nothing has that name.
        InputError: the start of more than one digest.
    """
    if "/" in reference or (Path(reference) / RECORD_NAME).is_file():
        return open_dataset(Path(reference))
    listings = list_datasets(home)
    if reference == LATEST and listings:
        return listings[0].dataset
    return _by_digest(reference, [listing.dataset for listing in listings])


def _by_digest(reference: str, datasets: Sequence[Dataset]) -> Dataset:
    start = reference.lower()
    matching: list[Dataset] = []
    if _DIGEST.fullmatch(start):
        wanted = "sha256:" + start.removeprefix("sha256:")
        matching = [dataset for dataset in datasets if dataset.record.digest.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InputError(
            f"{len(matching)} datasets start with {reference}: {_names(matching)}.", hint="Give more digits."
        )
    hint = f"There are: {_names(datasets)}." if datasets else "Make one: isocenter data ingest SRC"
    raise NotFoundError("The store has no such dataset.", hint=hint)


def _names(datasets: Sequence[Dataset]) -> str:
    shown = ", ".join(short_digest(dataset.record.digest) for dataset in datasets[:5])
    return shown + (f" and {len(datasets) - 5} more" if len(datasets) > 5 else "")


def short_digest(digest: str) -> str:
    """The first digits of ``sha256:...``, enough for a person."""
    return digest.removeprefix("sha256:")[:_SHORT]
