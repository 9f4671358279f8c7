"""Which of the images that were read make up the dataset: conflicts are set aside, duplicates kept once.

Every decision rests on content, never on names, order or keys: the same files in another folder or under
another site secret are decided alike.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
    copies: dict[str, list[SourceRecord]] = defaultdict(list)
    labels: dict[str, int] = {}
    by_patient: dict[str, list[SourceRecord]] = defaultdict(list)
    for row in rows:
        copies[row.record.pixel_digest].append(row.record)
        labels[row.record.pixel_digest] = row.label
        by_patient[row.record.patient_key].append(row.record)
    kept = _Preference(by_patient)
    return tuple(LabelledRecord(kept.first(copies[name]), labels[name]) for name in sorted(copies))


@dataclass(frozen=True)
class _Preference:
    """Which copy of an image to keep: the first by content of the copy, then by all images of its patient.

    Keys come last: there the copies and their patients are alike in all that the dataset's digest shows.
    """

    by_patient: Mapping[str, Sequence[SourceRecord]]
    signatures: dict[str, str] = field(default_factory=dict)

    def first(self, copies: Sequence[SourceRecord]) -> SourceRecord:
        return copies[0] if len(copies) == 1 else min(copies, key=self._rank)

    def _rank(self, record: SourceRecord) -> tuple[bytes, str, str, str]:
        patient = record.patient_key
        if patient not in self.signatures:
            contents = sorted({_content(other) for other in self.by_patient[patient]})
            self.signatures[patient] = hashlib.sha256(b"\n".join(contents)).hexdigest()
        return _content(record), self.signatures[patient], patient, record.image_key


def _content(record: SourceRecord) -> bytes:
    attributes = asdict(record.attributes) if record.attributes else None
    return canonical_json([record.pixel_digest, record.split, attributes])
