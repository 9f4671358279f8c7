"""Small X-rays as hospitals write them, with synthetic identities that all carry the word CANARY."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

DX = UID("1.2.840.10008.5.1.4.1.1.1.1")
CANARY = "CANARY"


def uid(name: str) -> str:
    """A UID that depends on ``name`` only."""
    return "1.2.826.0.1.3680043.8.498." + str(int(hashlib.sha256(name.encode()).hexdigest()[:20], 16))


def picture(name: str, rows: int = 24, columns: int = 20) -> NDArray[np.uint16]:
    """12-bit noise that depends on ``name`` only."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return np.random.default_rng(seed).integers(0, 4096, (rows, columns), dtype=np.uint16)


@dataclass(frozen=True)
class Xray:
    """What goes into one file; ``image`` names its pixels and, where not given, its SOP instance."""

    image: str
    patient: str = "one"
    instance: str | None = None
    study: str | None = None
    header: dict[str, Any] = field(default_factory=dict)

    @property
    def sop_instance_uid(self) -> str:
        return uid(f"instance {self.instance or self.image}")

    @property
    def study_instance_uid(self) -> str:
        return uid(f"study {self.study or self.image}")

    @property
    def patient_id(self) -> str:
        return f"{CANARY}-{self.patient}" if self.patient else ""

    @property
    def accession_number(self) -> str:
        return f"{CANARY}{hashlib.sha256((self.study or self.image).encode()).hexdigest()[:8]}"

    def dataset(self) -> Dataset:
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = DX
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID(self.sop_instance_uid)
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = self.study_instance_uid, uid(f"series {self.image}")
        ds.PatientName, ds.PatientID = f"{CANARY}^Zoë", self.patient_id
        ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19611103", "F", "057Y"
        ds.StudyDate, ds.AccessionNumber = "20190417", self.accession_number
        ds.StationName, ds.InstitutionName = f"{CANARY}-ROOM", f"{CANARY} Hospital"
        ds.Modality, ds.BodyPartExamined, ds.ViewPosition = "DX", "CHEST", "PA"
        ds.Manufacturer, ds.ManufacturerModelName = "Acme Röntgen", "DX-100"
        ds.PhotometricInterpretation, ds.SamplesPerPixel = "MONOCHROME2", 1
        pixels = picture(self.image)
        ds.Rows, ds.Columns = pixels.shape
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.PixelData = pixels.tobytes()
        for name, value in self.header.items():
            setattr(ds, name, value)
        return ds

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.dataset().save_as(path, enforce_file_format=True)
        return path


def write_class_folders(root: Path, per_class: int = 6) -> Path:
    """``root/normal`` and ``root/Pneumonia`` with one patient an image."""
    for folder in ("normal", "Pneumonia"):
        for number in range(per_class):
            name = f"{folder}{number}"
            Xray(name, patient=name).write(root / folder / f"{CANARY}_{number}.dcm")
    return root
