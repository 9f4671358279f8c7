"""Which class a file belongs to: from a table, or from the names of the folders it lies in."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from isocenter.datasets.class_names import check_classes
from isocenter.datasets.labels_csv import Identifier, LabelRow, read_label_rows
from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.quarantine import Reason
from isocenter.datasets.record import SourceRecord
from isocenter.errors import InputError

_CONTRADICTION = -1
_SHOWABLE = re.compile(r"[\w .+/-]{1,32}")
_MOST_SHOWN = 5


class Labels(Protocol):
    """A source of labels."""

    def label_of(self, relative: str, record: SourceRecord) -> int | Reason:
        """The class number of a file that was read, or why it has none.

        Args:
            relative: the file's path below the source.
            record: what the file was read to be.
        """
        ...

    def without_file(self, records: Iterable[SourceRecord]) -> int:
        """How many labels name none of ``records``."""
        ...


def open_labels(
    table: Path | None, classes: tuple[str, str], pseudonyms: Pseudonyms, files: Iterable[str]
) -> Labels:
    """Labels from ``table``; from folder names when there is none.

    Args:
        table: a table of labels.
        classes: names of the classes, the negative one first.
        pseudonyms: turn identifiers into keys.
        files: paths of all files, below the source.

    Raises:
        InputError: the table can't be used, or holds a third class or only one.
    """
    check_classes(classes)
    return TableLabels.read(table, classes, pseudonyms) if table else FolderLabels.among(files, classes)


@dataclass(frozen=True)
class FolderLabels:
    """The nearest folder above a file, below the source, that is named like a class.

    Args:
        classes: names of the classes.
        parents: folders in which a class's folder lies.
    """

    classes: tuple[str, str]
    parents: frozenset[str] = frozenset()

    @classmethod
    def among(cls, files: Iterable[str], classes: tuple[str, str]) -> "FolderLabels":
        """Labels of ``files``, paths below the source."""
        names = _folded(classes)
        folders = {folder for file in files for folder in _folders(file)}
        return cls(classes, frozenset(parent for parent, name in folders if name in names))

    def label_of(self, relative: str, record: SourceRecord) -> int | Reason:
        """See ``Labels``.

        Raises:
            InputError: the image lies in a folder beside those of the classes, so in one of a third class.
        """
        names = _folded(self.classes)
        for parent, name in _folders(relative):
            if name in names:
                return names.index(name)
            if parent in self.parents:
                raise _third_folder(self.classes)
        return Reason.NO_LABEL

    def without_file(self, records: Iterable[SourceRecord]) -> int:
        """See ``Labels``."""
        return 0


def _folded(classes: tuple[str, str]) -> list[str]:
    return [name.strip().casefold() for name in classes]


def _folders(file: str) -> Iterator[tuple[str, str]]:
    """Path of the parent and folded name of each folder above ``file``, the nearest first."""
    parts = file.split("/")[:-1]
    for depth in reversed(range(len(parts))):
        yield "/".join(parts[:depth]), parts[depth].strip().casefold()


def _third_folder(classes: tuple[str, str]) -> InputError:
    # The folder may be named after a patient: it is not shown.
    return InputError(
        f"Beside the folders {classes[0]} and {classes[1]} lies another one with images: a third class?",
        hint="Move it away, name the two classes with --classes NEGATIVE,POSITIVE, or give --labels FILE.",
    )


@dataclass(frozen=True)
class TableLabels:
    """Labels by identifier. Identifiers are held as pseudonyms: those that records carry."""

    by_kind: Mapping[Identifier, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, classes: tuple[str, str], pseudonyms: Pseudonyms) -> "TableLabels":
        """Read the table at ``path``.

        Raises:
            InputError: can't be used, or holds a third class or only one.
        """
        rows = read_label_rows(path)
        numbers = _class_numbers(rows, classes)
        by_kind: dict[Identifier, dict[str, int]] = {}
        for row in rows:
            known = by_kind.setdefault(row.kind, {})
            key, number = identifier_key(pseudonyms, row.kind, row.value), numbers[row.label.casefold()]
            known[key] = number if known.get(key, number) == number else _CONTRADICTION
        return cls(by_kind)

    def label_of(self, relative: str, record: SourceRecord) -> int | Reason:
        """See ``Labels``."""
        for kind in Identifier:
            number = self.by_kind.get(kind, {}).get(_key_of(record, kind))
            if number is not None:
                return Reason.LABEL_CONFLICT if number == _CONTRADICTION else number
        return Reason.NO_LABEL

    def without_file(self, records: Iterable[SourceRecord]) -> int:
        """See ``Labels``."""
        unseen = {(kind, key) for kind, keys in self.by_kind.items() for key in keys}
        for record in records:
            unseen.difference_update((kind, _key_of(record, kind)) for kind in self.by_kind)
        return len(unseen)


def identifier_key(pseudonyms: Pseudonyms, kind: Identifier, value: str) -> str:
    """The pseudonym under which labels and records meet; empty for an empty value."""
    return pseudonyms.key(kind, value.strip()) if value.strip() else ""


def _key_of(record: SourceRecord, kind: Identifier) -> str:
    return {
        Identifier.SOP_INSTANCE_UID: record.sop_key,
        Identifier.STUDY_INSTANCE_UID: record.study_label_key,
        Identifier.ACCESSION_NUMBER: record.accession_key,
        Identifier.PATIENT_ID: record.patient_label_key,
    }[kind]


def _class_numbers(rows: Iterable[LabelRow], classes: tuple[str, str]) -> dict[str, int]:
    """Class number by the text of a label, in lower case.

    Raises:
        InputError: a third class, or only one.
    """
    known = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
    known.update({name.strip().casefold(): number for number, name in enumerate(classes)})
    texts = {row.label.casefold() for row in rows}
    strange = sorted(texts - known.keys())
    if strange:
        raise InputError(
            f"The labels file holds more than the classes {classes[0]} and {classes[1]}: {_show(strange)}.",
            hint="Take those rows out, or name the two classes with --classes NEGATIVE,POSITIVE.",
        )
    if len({known[text] for text in texts}) == 1:
        raise one_class_only(classes, known[texts.pop()])
    return known


def one_class_only(classes: tuple[str, str], label: int) -> InputError:
    """The error for a set in which every image has the same label."""
    return InputError(
        f"Only one class is there: {classes[label]}; {classes[1 - label]} has no image.",
        hint="A model learns to tell two classes apart; add images of the other one.",
    )


def _show(values: Sequence[str]) -> str:
    """Short class names as they are; longer text, which may be a report about a patient, only counted."""
    if len(values) <= _MOST_SHOWN and all(_SHOWABLE.fullmatch(value) for value in values):
        return ", ".join(values)
    return f"{len(values)} other values"
