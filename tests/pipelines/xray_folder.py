"""Small DICOM folders that a tiny network learns in an epoch: positives have a bright blob."""

import csv
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

_DX = UID("1.2.840.10008.5.1.4.1.1.1.1")
_ROOT = "1.2.826.0.1.3680043.8.498.77."
_SCANNERS = (("Acme", "DX-100"), ("Borealis", "Polar 7"))


def write_folder(out: Path, *, patients: int, seed: int = 0, size: int = 48, signal: float = 0.5) -> Path:
    """Write ``patients`` X-rays of as many patients, half of them positive, and ``labels.csv``.

    Args:
        out: gets ``dicom/`` and ``labels.csv``.
        patients: how many.
        seed: of pixels and identities.
        size: rows and columns.
        signal: how bright the blob of a positive is; 0 makes the classes alike.

    Returns:
        ``out``. Names, identifiers and dates carry the word CANARY or digits that the test can search for.
    """
    folder = out / "dicom"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rows = [("SOPInstanceUID", "label")]
    for number in range(patients):
        instance = _instance(rng, number, seed, size, signal * (number % 2))
        instance.save_as(folder / f"CANARY_{number:04d}.dcm", enforce_file_format=True)
        rows.append((instance.SOPInstanceUID, ("normal", "pneumonia")[number % 2]))
    with (out / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return out


def _instance(rng: np.random.Generator, number: int, seed: int, size: int, signal: float) -> Dataset:
    instance = Dataset()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.SOPClassUID = instance.file_meta.MediaStorageSOPClassUID = _DX
    uid = f"{_ROOT}{seed}.{number}"
    instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = uid + ".1"
    instance.StudyInstanceUID, instance.SeriesInstanceUID = uid, uid + ".2"
    instance.PatientName, instance.PatientID = f"CANARY^{number}", f"CANARY-{seed}-{number}"
    instance.PatientBirthDate, instance.StudyDate = "19700304", "20240506"
    instance.PatientSex = "FM"[(number // 2) % 2]
    instance.Modality, instance.ViewPosition = "DX", "PA"
    instance.Manufacturer, instance.ManufacturerModelName = _SCANNERS[(number // 4) % 2]
    instance.Rows = instance.Columns = size
    instance.SamplesPerPixel, instance.PhotometricInterpretation = 1, "MONOCHROME2"
    instance.BitsAllocated, instance.BitsStored, instance.HighBit, instance.PixelRepresentation = (
        16,
        12,
        11,
        0,
    )
    instance.PixelData = (_picture(rng, size, signal) * 4095).astype("<u2").tobytes()
    return instance


def _picture(
    rng: np.random.Generator, size: int, signal: float
) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    y, x = np.mgrid[0:size, 0:size] / size
    body = 0.4 * np.exp(-(((x - 0.5) / 0.35) ** 2 + ((y - 0.5) / 0.45) ** 2))
    cx, cy = rng.uniform(0.3, 0.7, 2)
    blob = signal * np.exp(-(((x - cx) / 0.12) ** 2 + ((y - cy) / 0.12) ** 2))
    return np.clip(body + blob + rng.normal(0, 0.03, (size, size)), 0, 1)
