"""A picture as a DICOM instance of the DX or CR IOD (PS3.3 A.26, A.2)."""

import datetime
import hashlib
import io

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from isocenter.demo.plane import Image
from isocenter.demo.roster import CANARY, PlannedImage
from isocenter.demo.scanner import Scanner

_VIEW_CODES = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}


def instance_uid(*parts: object) -> str:
    """A UID under 2.25 (PS3.5 B.2) that depends on ``parts`` only."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def encode(
    planned: PlannedImage, picture: Image, spacing_mm: float, *, uid_root: tuple[object, ...]
) -> bytes:
    """The bytes of the DICOM file.

    Args:
        planned: patient, study, system.
        picture: float32 [H, W] in 0..1, bone white.
        spacing_mm: distance between pixels.
        uid_root: what all UIDs of the set depend on (seed, size).
    """
    dataset = Dataset()
    _identify(dataset, planned, uid_root)
    _describe(dataset, planned, spacing_mm)
    _add_pixels(dataset, planned.scanner, picture)
    if planned.scanner.modality == "DX":
        _add_dx_modules(dataset, planned)
    return _file(dataset, planned.scanner)


def stored_values(scanner: Scanner, picture: Image) -> NDArray[np.uint16]:
    """What ``scanner`` stores for ``picture``: its polarity and bits, its VOI transform undone."""
    shown = 1 - picture if scanner.photometric == "MONOCHROME1" else picture
    unit = shown if scanner.gamma is None else shown ** np.float32(1 / scanner.gamma)
    low, high = scanner.grey
    return np.round(low + unit * np.float32(high - low)).astype(np.uint16)


def _identify(dataset: Dataset, planned: PlannedImage, uid_root: tuple[object, ...]) -> None:
    patient, visit = planned.patient, (planned.patient.number, planned.study)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName, dataset.PatientID = patient.name, patient.patient_id
    dataset.PatientBirthDate = _da(patient.birth_date)
    dataset.PatientSex = patient.sex
    dataset.PatientAge = f"{patient.age_years:03d}Y"
    dataset.StudyInstanceUID = instance_uid(*uid_root, *visit)
    dataset.SeriesInstanceUID = instance_uid(*uid_root, *visit, "series")
    dataset.SOPInstanceUID = instance_uid(*uid_root, *visit, planned.number, "image")
    dataset.SOPClassUID = planned.scanner.sop_class
    dataset.AccessionNumber = f"{CANARY}{patient.number:05d}{planned.study}"
    dataset.StudyID = f"{CANARY}-{planned.study + 1}"
    dataset.ReferringPhysicianName = f"{CANARY}^Referrer"
    dataset.InstitutionName = f"{CANARY} Demonstration Hospital"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = _da(
        planned.taken
    )
    dataset.StudyTime = dataset.AcquisitionTime = dataset.ContentTime = f"{8 + patient.number % 10:02d}1500"
    dataset.InstanceNumber, dataset.SeriesNumber = planned.number + 1, 1


def _describe(dataset: Dataset, planned: PlannedImage, spacing_mm: float) -> None:
    scanner = planned.scanner
    dataset.Modality = scanner.modality
    dataset.Manufacturer, dataset.ManufacturerModelName = scanner.manufacturer, scanner.model
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = scanner.serial, "1.0"
    dataset.BodyPartExamined, dataset.ViewPosition = "CHEST", planned.view
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", ""]
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    dataset.ImagerPixelSpacing = [f"{spacing_mm:.4f}"] * 2
    dataset.KVP = "90" if scanner.portable else "120"
    dataset.Exposure = 3 if scanner.portable else 2


def _add_pixels(dataset: Dataset, scanner: Scanner, picture: Image) -> None:
    stored = stored_values(scanner, picture)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, scanner.photometric
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, scanner.bits, scanner.bits - 1
    dataset.PixelRepresentation = 0
    slope, intercept = scanner.rescale
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = str(slope), str(intercept), "US"
    if scanner.gamma is None:
        # PS3.3 C.11.2.1.2.1: the window's ends lie half a value inside center -+ width / 2.
        low, high = (slope * value + intercept for value in scanner.grey)
        dataset.WindowCenter, dataset.WindowWidth = str((low + high + 1) / 2), str(high - low + 1)
    else:
        dataset.VOILUTSequence = [_voi_lut(scanner.bits, scanner.gamma)]
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"


def _voi_lut(bits: int, gamma: float) -> Dataset:
    steps = np.linspace(0, 1, 1 << bits) ** gamma
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [1 << bits, 0, 16])
    item.LUTExplanation = "Contrast"
    item.add_new("LUTData", "OW", np.round(steps * 65535).astype("<u2").tobytes())
    return item


def _add_dx_modules(dataset: Dataset, planned: PlannedImage) -> None:
    inverse = planned.scanner.photometric == "MONOCHROME1"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if inverse else -1
    dataset.DetectorType = "DIRECT"
    dataset.DetectorConfiguration, dataset.PositionerType = "AREA", "NONE"
    dataset.ImageLaterality = "U"
    dataset.AnatomicRegionSequence = [_code("51185008", "SCT", "Chest")]
    dataset.ViewCodeSequence = [_view_code(planned.view)]
    dataset.AcquisitionContextSequence = []
    dataset.PatientOrientation = ["L", "F"]


def _view_code(view: str) -> Dataset:
    value, meaning = _VIEW_CODES[view]
    code = _code(value, "SCT", meaning)
    code.ViewModifierCodeSequence = []
    return code


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _file(dataset: Dataset, scanner: Scanner) -> bytes:
    plain = scanner.transfer_syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(scanner.transfer_syntax) if plain else ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if not plain:
        dataset.compress(scanner.transfer_syntax, generate_instance_uid=False)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _da(date: datetime.date) -> str:
    return date.strftime("%Y%m%d")
