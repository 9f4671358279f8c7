"""Which of the images that were read make up the dataset: conflicts are set aside, duplicates kept once.

Every decision rests on content, never on names, order or keys: the same files in another folder or under
another site secret are decided alike.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from isocenter.datasets.quarantine import Quarantined, Reason, quarantined
from isocenter.datasets.record import SourceRecord
from isocenter.domain.digest import canonical_json

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class LabelledRecord:
    """An image that was read, and its class number."""

    record: SourceRecord
    label: int


@dataclass(frozen=True)
class Selection:
    """What was decided.

    Args:
        rows: the images of the dataset, by pixel digest, each digest once.
        set_aside: the others, less exact duplicates.
        duplicates: files that hold an image which another file holds too.
    """

    rows: tuple[LabelledRecord, ...]
    set_aside: tuple[Quarantined, ...]
    duplicates: int


def select(records: Sequence[SourceRecord], label_of: Callable[[SourceRecord], int | Reason]) -> Selection:
    """Decide which of ``records`` become rows.

    Args:
        records: one a file, read or refused.
        label_of: the class number of a record that was read, or why it has none.
    """
    read = [record for record in records if record.was_read]
    refused = [Quarantined(r.source_key, r.reason, r.sentence) for r in records if not r.was_read]
    contested = _contested(read, lambda r: r.image_key, lambda r: r.pixel_digest)
    labelled, unusable = _label(read, label_of, contested)
    mislabelled = _contested(labelled, lambda r: r.record.pixel_digest, lambda r: r.label)
    agreed = [row for row in labelled if row.record.pixel_digest not in mislabelled]
    disputed = [row for row in labelled if row.record.pixel_digest in mislabelled]
    rows = _keep_once(agreed)
    return Selection(
        rows,
        (
            *refused,
            *unusable,
            *(quarantined(row.record.source_key, Reason.LABEL_CONFLICT) for row in disputed),
        ),
        duplicates=len(agreed) - len(rows),
    )


def _label(
    read: Iterable[SourceRecord],
    label_of: Callable[[SourceRecord], int | Reason],
    contested: set[str],
) -> tuple[list[LabelledRecord], list[Quarantined]]:
    labelled: list[LabelledRecord] = []
    unusable: list[Quarantined] = []
    for record in read:
        answer = Reason.UID_CONFLICT if record.image_key in contested else label_of(record)
        if isinstance(answer, Reason):
            unusable.append(quarantined(record.source_key, answer))
        else:
            labelled.append(LabelledRecord(record, answer))
    return labelled, unusable


def _contested(
    items: Iterable[_Item], name: Callable[[_Item], str], value: Callable[[_Item], str | int]
) -> set[str]:
    """Names that occur with more than one value."""
    first: dict[str, str | int] = {}
    return {name(item) for item in items if first.setdefault(name(item), value(item)) != value(item)}


def _keep_once(rows: Iterable[LabelledRecord]) -> tuple[LabelledRecord, ...]:
    """Of each pixel digest one row, sorted by digest."""
    copies: dict[str, list[LabelledRecord]] = defaultdict(list)
    images: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        copies[row.record.pixel_digest].append(row)
        images[row.record.patient_key].add(row.record.pixel_digest)
    signatures: dict[str, str] = {}
    return tuple(_preferred(copies[digest], images, signatures) for digest in sorted(copies))


def _preferred(
    copies: Sequence[LabelledRecord], images: Mapping[str, set[str]], signatures: dict[str, str]
) -> LabelledRecord:
    """The copy to keep: the first by attributes, then by which images its patient has.

    Keys come last, where the content leaves no difference that the dataset's digest could show.
    """
    if len(copies) == 1:
        return copies[0]
    for row in copies:
        patient = row.record.patient_key
        if patient not in signatures:
            signatures[patient] = hashlib.sha256("".join(sorted(images[patient])).encode()).hexdigest()

    def rank(row: LabelledRecord) -> tuple[str, bytes, str, str, str]:
        record = row.record
        attributes = canonical_json(asdict(record.attributes)) if record.attributes else b""
        keys = record.patient_key, record.image_key
        return record.split, attributes, signatures[record.patient_key], *keys

    return min(copies, key=rank)
