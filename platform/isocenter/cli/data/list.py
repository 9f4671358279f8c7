"""``isocenter data list``: the DatasetVersions in the store."""

from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from isocenter.datasets.catalogue import Listing


@click.command(epilog="Example: isocenter data list --json")
@json_option
def command(as_json: bool) -> None:
    """List the DatasetVersions in this store, the last ingested first."""
    from isocenter.datasets.catalogue import list_datasets
    from isocenter.home import open_home

    listings = list_datasets(open_home())
    if as_json:
        print_json([_as_json(listing) for listing in listings])
    elif not listings:
        click.echo("No datasets yet. Make one: isocenter data ingest SRC --labels FILE")
    else:
        _print(listings)


def _as_json(listing: "Listing") -> dict[str, Any]:
    record = listing.dataset.record
    return {
        "digest": record.digest,
        "path": str(listing.dataset.path),
        "classes": list(record.classes),
        "images": record.images,
        "patients": record.patients,
        "sizes": listing.dataset.sizes,
        "created_at": record.created_at.isoformat(),
        "ingested_at": listing.ingested_at.isoformat(),
    }


def _print(listings: "list[Listing]") -> None:
    from isocenter.datasets.catalogue import short_digest

    rows = (
        (
            short_digest(listing.dataset.record.digest),
            listing.dataset.record.images,
            listing.dataset.record.patients,
            ", ".join(listing.dataset.record.classes),
            ", ".join(map(str, listing.dataset.sizes)),
            listing.ingested_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        )
        for listing in listings
    )
    print_table("Datasets", ("digest", "images", "patients", "classes", "sizes", "last ingested"), rows)
