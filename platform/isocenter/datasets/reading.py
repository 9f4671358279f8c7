"""One source file to its record and tile."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isocenter.datasets.decode_messages import FileToRead
from isocenter.datasets.labels import identifier_key
from isocenter.datasets.labels_csv import Identifier
from isocenter.datasets.pseudonym import Pseudonyms
from isocenter.datasets.quarantine import SENTENCES, Reason
from isocenter.datasets.record import SourceRecord
from isocenter.datasets.split import split_of
from isocenter.imaging import Identity, PreparedRadiograph, Refused, read_prepared


def read_file(
    root: Path, file: FileToRead, image_size: int, pseudonyms: Pseudonyms
) -> tuple[SourceRecord, NDArray[np.uint16] | None]:
    """The record of ``file`` and its tile [image_size, image_size]; no tile when the file is refused."""
    try:
        radiograph = read_prepared(root / file.relative, image_size)
        return _record(file, radiograph, pseudonyms), radiograph.tile
    except Refused as refusal:
        return _refused(file, refusal.reason.value, refusal.message), None
    except MemoryError:
        return refused(file, Reason.OUT_OF_MEMORY), None
    except OSError:
        return refused(file, Reason.UNREADABLE), None
    except Exception:  # one odd file must not end an ingest; its text is dropped: it may hold patient data
        return refused(file, Reason.READER_DEFECT), None


def refused(file: FileToRead, reason: Reason) -> SourceRecord:
    """The record of a file that gave no image for ``reason``."""
    return _refused(file, reason.value, SENTENCES[reason])


def _refused(file: FileToRead, reason: str, sentence: str) -> SourceRecord:
    return SourceRecord(file.source_key, file.stamp, reason, sentence)


def _record(file: FileToRead, radiograph: PreparedRadiograph, pseudonyms: Pseudonyms) -> SourceRecord:
    identity, digest = radiograph.identity, radiograph.pixel_digest
    image, study, patient = _identifiers(identity, digest)
    return SourceRecord(
        file.source_key,
        file.stamp,
        image_key=pseudonyms.key("image", *image),
        study_key=pseudonyms.key("study", *study),
        patient_key=pseudonyms.key("patient", *patient),
        sop_key=identifier_key(pseudonyms, Identifier.SOP_INSTANCE_UID, identity.sop_instance_uid),
        study_label_key=identifier_key(
            pseudonyms, Identifier.STUDY_INSTANCE_UID, identity.study_instance_uid
        ),
        accession_key=identifier_key(pseudonyms, Identifier.ACCESSION_NUMBER, identity.accession_number),
        patient_label_key=identifier_key(pseudonyms, Identifier.PATIENT_ID, identity.patient_id),
        split=split_of(*patient).value,
        pixel_digest=digest,
        attributes=radiograph.attributes,
    )


def _identifiers(identity: Identity, digest: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What names the image, the study and the patient; each falls back to the one before it."""
    image = ("uid", identity.sop_instance_uid) if identity.sop_instance_uid else ("pixels", digest)
    study = ("uid", identity.study_instance_uid) if identity.study_instance_uid else ("image", *image)
    if not identity.patient_id:
        return image, study, ("study", *study)
    return image, study, ("id", identity.issuer_of_patient_id, identity.patient_id)
