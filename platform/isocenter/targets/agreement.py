"""What the fields of a settings file must agree on, though each is right by itself."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.clouds.offer import CLOUDS, GPU_SIZES, CloudOffer, cloud_offer
from isocenter.errors import InputError

_PARTS = (*CLOUDS, "onprem")
# How no bucket's name may begin on a cloud: a pattern, and the words for it.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
# https://cloud.google.com/storage/docs/buckets#naming
_RESERVED = {
    "aws": (r"^(xn--|sthree-|amzn-s3-demo-)", "begin with xn--, sthree- or amzn-s3-demo-"),
    "gcp": (r"^goog|g[o0]{2}gle", "begin with goog or hold google"),
}


@dataclass(frozen=True)
class Disagreement:
    """Where fields don't fit together.

    Args:
        place: names and numbers that lead to the field.
        sentence: what is wrong and what to do, with the field's name.
    """

    place: tuple[str | int, ...]
    sentence: str


def disagreements(fields: Mapping[str, Any]) -> Iterator[Disagreement]:
    """Each of them in ``fields``, values by name, among which a field that is wrong by itself is not."""
    yield from _endpoints(fields.get("endpoints", ()))
    if "cloud" not in fields:
        return
    cloud = str(fields["cloud"])
    for part in _PARTS:
        if part not in fields or (fields[part] is not None) == (part == cloud):
            continue
        remedy = "isocenter target init writes one" if part == cloud else "take it out, or change cloud"
        must = "be there" if part == cloud else "go"
        yield Disagreement((part,), f"cloud is {cloud}: the part {part} must {must}: {remedy}")
    if cloud in CLOUDS:
        yield from _in_a_cloud(fields, cloud_offer(cloud))
    elif "compute" in fields:
        yield from _sizes(fields["compute"].gpu)


def _endpoints(endpoints: tuple[Any, ...]) -> Iterator[Disagreement]:
    for name, count in Counter(each.name for each in endpoints).items():
        if count > 1:
            sentence = f"endpoints has {count} of the name {name}: give each a name of its own"
            yield Disagreement(("endpoints",), sentence)


def _sizes(gpus: tuple[Any, ...]) -> Iterator[Disagreement]:
    for number, gpu in enumerate(gpus):
        if gpu.size not in GPU_SIZES:
            near = difflib.get_close_matches(gpu.size.lower(), GPU_SIZES, n=2, cutoff=0.3) or GPU_SIZES
            yield _at(
                ("compute", "gpu", number, "size"), f"No GPU size {gpu.size!r}. Nearest: {', '.join(near)}"
            )


def _in_a_cloud(fields: Mapping[str, Any], offer: CloudOffer) -> Iterator[Disagreement]:
    for name in ("budget", "github"):
        if name in fields and fields[name] is None:
            yield Disagreement((name,), f"{name} is missing")
    yield from _prefix(fields)
    yield from _regions(fields, offer)
    for number, gpu in enumerate(fields["compute"].gpu if "compute" in fields else ()):
        yield from _machines(number, gpu, offer)


def _prefix(fields: Mapping[str, Any]) -> Iterator[Disagreement]:
    if not {"name", "prefix"} <= fields.keys():
        return
    pattern, reserved = _RESERVED.get(str(fields["cloud"]), ("$^", ""))
    begin = fields["prefix"] or fields["name"]
    if re.search(pattern, begin):
        field, remedy = (
            ("prefix", "choose another") if fields["prefix"] else ("name", "write another as prefix")
        )
        yield Disagreement(
            (field,), f"{field} {begin} begins the buckets' names, which may not {reserved}: {remedy}"
        )


def _regions(fields: Mapping[str, Any], offer: CloudOffer) -> Iterator[Disagreement]:
    cloud, residency = str(fields["cloud"]), fields.get("residency")
    part = fields.get(cloud)
    first, second = fields.get("region"), part.replica_region if part else None
    for place, region in ((("region",), first), ((cloud, "replica_region"), second)):
        field = ".".join(place)
        if region is None:
            continue
        if not region:
            within = f": {offer.title} has {', '.join(offer.within(residency))}" if residency else ""
            yield Disagreement(place, f"{field} is missing{within}")
            continue
        try:
            zone = offer.residency(region)
        except InputError as error:
            yield _at(place, f"{error.message} {error.hint}")
            continue
        if residency not in (None, zone):
            sentence = f"{field} {region} lies in {zone!r}, residency is {residency!r}: change one of them"
            yield Disagreement(place, sentence)
    if first and first == second:
        sentence = f"{cloud}.replica_region is the region itself: copies would go with it; take another"
        yield Disagreement((cloud, "replica_region"), sentence)


def _machines(number: int, gpu: Any, offer: CloudOffer) -> Iterator[Disagreement]:
    place = ("compute", "gpu", number)
    try:
        counts = [machine.gpus for machine in offer.machines(gpu.size)]
    except InputError as error:
        yield _at((*place, "size"), f"{error.message} {error.hint}")
        return
    if gpu.per_node not in counts:
        listed = " or ".join(map(str, counts))
        yield _at((*place, "per_node"), f"{gpu.size} comes {listed} to a machine, not {gpu.per_node}")


def _at(place: tuple[str | int, ...], sentence: str) -> Disagreement:
    return Disagreement(place, f"{'.'.join(map(str, place))}: {sentence.rstrip('. ')}")
