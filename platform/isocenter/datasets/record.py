"""What ingest knows of a source file once it was read: pseudonyms and attributes, nothing that identifies."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, get_type_hints

from isocenter.imaging.radiograph import AcquisitionAttributes

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One source file, read or refused.

    Args:
        source_key: pseudonym of its path below the source.
        stamp: pseudonym of its size and time of last change: another stamp means another content.
        reason: why it was refused; empty when it was read.
        sentence: the same for a person.
        image_key: pseudonym of the SOP instance.
        study_key: pseudonym of the study; of the image when the file names no study.
        patient_key: pseudonym of issuer and PatientID; of the study when the file names no patient.
        sop_key: pseudonym by which a label table may name the image; empty when the file lacks the value,
            as the next three.
        study_label_key: the same for the Study Instance UID.
        accession_key: the same for the accession number.
        patient_label_key: the same for PatientID without its issuer.
        split: train, validation or test.
        pixel_digest: see ``imaging.pixel_digest``.
        attributes: how the image was made; None when it was refused.
    """

    source_key: str
    stamp: str
    reason: str = ""
    sentence: str = ""
    image_key: str = ""
    study_key: str = ""
    patient_key: str = ""
    sop_key: str = ""
    study_label_key: str = ""
    accession_key: str = ""
    patient_label_key: str = ""
    split: str = ""
    pixel_digest: str = ""
    attributes: AcquisitionAttributes | None = None

    @property
    def was_read(self) -> bool:
        """Whether the file gave an image."""
        return not self.reason


_OWN = tuple(field.name for field in fields(SourceRecord) if field.name != "attributes")
_ATTRIBUTES = tuple(field.name for field in fields(AcquisitionAttributes))


def records_table(records: Iterable[SourceRecord]) -> "pa.Table":
    """``records`` as a table; a refused file's attributes are null."""
    import pyarrow as pa

    return pa.Table.from_pylist([_row(record) for record in records], schema=_schema())


def table_records(table: "pa.Table") -> Iterable[SourceRecord]:
    """The records that ``records_table`` was given."""
    for batch in table.to_batches(max_chunksize=4096):
        yield from map(_record, batch.to_pylist())


def _row(record: SourceRecord) -> dict[str, Any]:
    own = {name: getattr(record, name) for name in _OWN}
    return own | (asdict(record.attributes) if record.attributes else {})


def _record(row: Mapping[str, Any]) -> SourceRecord:
    attributes = None if row["reason"] else AcquisitionAttributes(**{name: row[name] for name in _ATTRIBUTES})
    return SourceRecord(**{name: row[name] for name in _OWN}, attributes=attributes)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), int | None: pa.int64(), float | None: pa.float64()}
    columns = [(name, pa.string()) for name in _OWN]
    columns += [(name, types[hint]) for name, hint in get_type_hints(AcquisitionAttributes).items()]
    return pa.schema(columns)
