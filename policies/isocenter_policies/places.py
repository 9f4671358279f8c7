"""Where data may lie: a cloud's regions and their residency zones, as the platform's offers list them."""

from functools import cache
from pathlib import Path

import yaml

_OFFERS = Path(__file__).parents[2] / "platform" / "isocenter" / "clouds"
# Places that are no regions: of buckets, of BigQuery.
_WIDE = {"us": "us", "eu": "eu", "europe": "eu", "nam4": "us", "eur4": "eu", "asia1": "jp"}


@cache
def _zones(cloud: str) -> dict[str, str]:
    offer = yaml.safe_load((_OFFERS / f"{cloud}.yaml").read_text(encoding="utf-8"))
    return dict(offer["regions"]) | (_WIDE if cloud == "gcp" else {})


def zone_of(cloud: str, place: str) -> str:
    """The residency zone of a region; empty for a place that Isocenter doesn't know.

    Args:
        cloud: aws, gcp or azure.
        place: a region, in whatever case and with or without spaces, or one of GCP's zones in it.
    """
    name = place.lower().replace(" ", "")
    region, _, letter = name.rpartition("-")
    zones = _zones(cloud)
    return zones.get(name) or (zones.get(region, "") if len(letter) == 1 else "")


def outside(cloud: str, zone: str, places: list[str]) -> list[str]:
    """Those of ``places`` that don't lie in ``zone``. A reference is left to what it refers to."""
    return [place for place in places if not place.startswith("${") and zone_of(cloud, place) != zone]
