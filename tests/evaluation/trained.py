"""A real small chain for tests: DICOM files, ingested, trained for moments, evaluated."""

import csv
import random
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset as Dicom
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.datasets import Dataset, ingest, open_dataset
from isocenter.home import open_home
from isocenter_training.contract import RunContext

SIZE = 32
CLASSES = ("normal", "pneumonia")
ROOT = "1.2.826.0.1.3680043.8.498."
SCANNERS = (("Acme Röntgen", "DX-100"), ("Borealis & Sons", "Polar 7"))


@dataclass(frozen=True)
class Trained:
    """Directories of a finished training, and the dataset that it was trained on."""

    source: Path
    dataset: Dataset
    model_dir: Path


def write_radiographs(folder: Path, patients: int, seed: int) -> None:
    """DICOM files of ``patients`` invented CANARY patients with 1 to 3 images each, and labels.csv.

    A positive image has a bright blob in one lung. A tenth of the labels are wrong, so nothing is perfect.
    """
    rng = random.Random(seed)
    noise = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("SOPInstanceUID", "label"))
        for patient in range(patients):
            label = rng.randrange(2)
            who = {"PatientID": f"CANARY-{patient}-{seed}", "PatientSex": rng.choice("MF")}
            who |= {"PatientAge": f"{rng.randint(1, 80):03d}Y"}
            for _ in range(rng.randint(1, 3)):
                image = _radiograph(who, label, rng, noise)
                image.save_as(folder / f"CANARY-{image.SOPInstanceUID}.dcm", enforce_file_format=True)
                rows.writerow((image.SOPInstanceUID, label if rng.random() > 0.1 else 1 - label))


def _radiograph(who: dict[str, str], label: int, rng: random.Random, noise: np.random.Generator) -> Dicom:
    y, x = np.mgrid[:48, :64]
    pixels = 1200 + 300 * np.cos((x - 32) / 9) + noise.normal(0, 60, (48, 64))
    if label:
        pixels += 900 * np.exp(-((x - rng.choice((18, 46))) ** 2 + (y - rng.randint(16, 34)) ** 2) / 40)
    dicom = Dicom()
    dicom.file_meta = FileMetaDataset()
    dicom.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dicom.SOPClassUID = dicom.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    dicom.SOPInstanceUID = dicom.file_meta.MediaStorageSOPInstanceUID = ROOT + str(rng.getrandbits(96))
    dicom.StudyInstanceUID, dicom.SeriesInstanceUID = ROOT + str(rng.getrandbits(96)), ROOT + "1"
    dicom.PatientName, dicom.StudyDate, dicom.Modality = "CANARY^PATIENT", "20190101", "DX"
    for name, value in who.items():
        setattr(dicom, name, value)
    dicom.BodyPartExamined, dicom.ViewPosition = "CHEST", rng.choice(("AP", "PA", ""))
    dicom.Manufacturer, dicom.ManufacturerModelName = rng.choice(SCANNERS)
    dicom.SpecificCharacterSet = "ISO_IR 192"
    dicom.PhotometricInterpretation, dicom.SamplesPerPixel = "MONOCHROME2", 1
    dicom.Rows, dicom.Columns = pixels.shape
    dicom.BitsAllocated, dicom.BitsStored, dicom.HighBit, dicom.PixelRepresentation = 16, 12, 11, 0
    dicom.PixelData = np.clip(pixels, 0, 4095).astype(np.uint16).tobytes()
    return dicom


def ingest_folder(home: Path, source: Path, labels: Path) -> Dataset:
    """The folder as a dataset with tiles of 32 x 32."""
    result = ingest(open_home(home), source, labels=labels, classes=CLASSES, image_size=SIZE, processes=1)
    return open_dataset(result.path)


def train(root: Path, source: Path, dataset: Dataset, epochs: int = 3) -> Trained:
    """Train a narrow network for ``epochs`` by the real training program."""
    from isocenter_training.train import run

    plan = {
        "name": "tiny",
        "description": "A <b>narrow</b> network.",
        "image_size": SIZE,
        "network": {"name": "resnet10", "arguments": {"widen_factor": 0.25, "conv1_t_stride": 1}},
        "optimizer": {"learning_rate": 0.003},
        "budget": {"epochs": epochs, "batch_size": 16},
    }
    run(context(root, {"dataset": dataset.path}, {"plan": plan, "threads": 1}))
    return Trained(source, dataset, root / "model")


def context(root: Path, inputs: dict[str, Path], parameters: dict[str, object]) -> RunContext:
    """A RunContext whose outputs lie under ``root``."""
    folders = {name: root / name for name in ("model", "output", "checkpoints")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return RunContext("", inputs, parameters, folders["model"], folders["output"], folders["checkpoints"])


def evaluate(root: Path, trained: Trained, **parameters: object) -> Path:
    """Run the evaluate program; returns its output directory."""
    from isocenter_training.evaluation import run

    inputs = {"dataset": trained.dataset.path, "model": trained.model_dir}
    defaults = {"bootstrap_replicates": 100, "threads": 1, "smallest_class": 3, "cases": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(context(root, inputs, defaults | parameters))
    return root / "output"


def make_trained(root: Path, patients: int = 140, seed: int = 0) -> Trained:
    """The whole chain on synthetic files, under ``root``."""
    write_radiographs(root / "source", patients, seed)
    dataset = ingest_folder(root / "store", root / "source", root / "source" / "labels.csv")
    return train(root / "train", root / "source", dataset)


def assemble(folder: Path, model_dir: Path, output: Path) -> Path:
    """The bundle that the pipeline registers: the training output with the evaluation's papers."""
    shutil.copytree(model_dir, folder)
    shutil.copy(output / "decision.json", folder / "configs")
    shutil.copy(output / "evaluation.json", folder)
    return folder
