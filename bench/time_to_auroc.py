"""Seconds until validation AUROC 0.97 on pneumonia_28 (64 x 64 input), beside a straightforward MONAI script.

    python bench/time_to_auroc.py [--target 0.97] [--repeat 1] [--images N] [--explain] [--json]

Both see the same 4,708 training and 524 validation images (our side keeps exact duplicates once) and are
timed from the start of their process, imports included, to the end of the epoch whose validation reaches the
target. Ours is `python -m isocenter_training train` with the plan below. The other side is
bench/time_to_auroc_monai.py, fed from the .npz; it needs no ingest, so our ratio is printed with and without.
--explain changes one thing at a time of ours towards the other and times an epoch of each.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset as Header
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from isocenter.datasets.split import split_of
from isocenter.domain.training_plan import load_plan

FOLDER = Path(__file__).parent
SOURCE = FOLDER.parents[1] / "shared" / "data" / "cxr" / "pneumonia_28.npz"
DX = UID("1.2.840.10008.5.1.4.1.1.1.1")
SIZE = 64
WANTED = 5.0

PLAN: Mapping[str, Any] = {
    **load_plan("small").model_dump(mode="json"),
    "name": "small-64",
    "image_size": SIZE,
    "budget": {"epochs": 4, "batch_size": 32, "patience": 4},
}


@dataclass(frozen=True)
class Reached:
    """Seconds and epochs until the target; ``auroc`` is what was reached."""

    seconds: float
    epochs: int
    auroc: float


def patients(split: str) -> Iterator[str]:
    """Patient IDs that the split by hash puts into ``split``."""
    for number in range(10**9):
        if split_of("id", "", f"{split}{number}") == split:
            yield f"{split}{number}"


def write_dicom(source: Path, folder: Path, images: int | None) -> None:
    """The set's own training and validation images as DICOM, in folders named like the classes."""
    with np.load(source) as archive:
        for split, name in (("train", "train"), ("validation", "val")):
            ids = patients(split)
            pixels, labels = archive[f"{name}_images"][:images], archive[f"{name}_labels"][:images, 0]
            for tile, label, patient in zip(pixels, labels, ids, strict=False):
                place = folder / ("normal", "pneumonia")[label]
                place.mkdir(parents=True, exist_ok=True)
                header(tile, patient).save_as(place / f"{patient}.dcm", enforce_file_format=True)


def header(tile: np.ndarray, patient: str) -> Header:
    """A DX instance of uint8 pixels."""
    ds = Header()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = DX
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.PatientID, ds.Modality = generate_uid(), patient, "DX"
    ds.PhotometricInterpretation, ds.SamplesPerPixel = "MONOCHROME2", 1
    ds.Rows, ds.Columns = tile.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = tile.tobytes()
    return ds


def ingest(dicom: Path, store: Path) -> tuple[Path, float]:
    """The dataset's directory, and the seconds it took."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "isocenter.cli.main", "data", "ingest", str(dicom)]
    done = subprocess.run(
        [*command, "--size", str(SIZE), "--json"],
        env=os.environ | {"ISOCENTER_HOME": str(store)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Path(json.loads(done.stdout)["path"]), time.perf_counter() - begin


def start_ours(dataset: Path, folder: Path, plan: Mapping[str, Any]) -> "subprocess.Popen[bytes]":
    variables = {
        "ISOCENTER_INPUT_DATASET": dataset,
        "ISOCENTER_PARAMETERS": json.dumps({"plan": plan, "threads": None}),
        "ISOCENTER_MODEL_DIR": folder / "model",
        "ISOCENTER_OUTPUT_DIR": folder / "output",
        "ISOCENTER_CHECKPOINT_DIR": folder / "checkpoint",
    }
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    command = [sys.executable, "-m", "isocenter_training", "train"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ours(dataset: Path, plan: Mapping[str, Any], target: float) -> Reached:
    """Our program, watched through the metrics file that it adds a line to after each validation."""
    with tempfile.TemporaryDirectory() as name:
        folder, begin = Path(name), time.perf_counter()
        plan = {**plan, "budget": {**plan["budget"], "target_auroc": target}}
        process = start_ours(dataset, folder, plan)
        metrics = folder / "output" / "metrics.jsonl"
        while process.poll() is None:
            lines = metrics.read_text().splitlines() if metrics.exists() else []
            if lines and (last := json.loads(lines[-1]))["validation_auroc"] >= target:
                seconds = time.perf_counter() - begin
                process.communicate()
                return Reached(seconds, last["epoch"], last["validation_auroc"])
            time.sleep(0.02)
        sys.exit(f"Ours ended below {target}: {process.communicate()[1].decode()[-500:]}")


def monai_script(source: Path, target: float, images: int | None) -> Reached:
    command = [sys.executable, str(FOLDER / "time_to_auroc_monai.py"), str(source), "--target", str(target)]
    command += ["--images", str(images)] if images else []
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    last = json.loads(done.stdout.splitlines()[-1])
    if last["validation_auroc"] < target:
        sys.exit(f"The MONAI script ended below {target}: {last}")
    return Reached(last["seconds"], last["epoch"], last["validation_auroc"])


def variants() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Ours, changed step by step into what the other side trains."""
    plan = dict(PLAN)
    yield "ours", plan
    plan |= {"precision": "float32"}
    yield "+ float32 instead of bfloat16", plan
    rotate = {"name": "RandRotate", "arguments": {"range_x": 0.26, "prob": 0.5, "keep_size": True}}
    zoom = {"name": "RandZoom", "arguments": {"min_zoom": 0.9, "max_zoom": 1.1, "prob": 0.5}}
    plan |= {
        "augmentation": [rotate, {"name": "RandFlip", "arguments": {"spatial_axis": 1, "prob": 0.5}}, zoom]
    }
    yield "+ MONAI's transforms, image by image", plan
    plan |= {"network": {"name": "densenet121", "arguments": {}}}
    yield "+ DenseNet121", plan


def explain(dataset: Path) -> list[dict[str, Any]]:
    """Images a second of an epoch of each variant."""
    rows = []
    for name, plan in variants():
        with tempfile.TemporaryDirectory() as folder:
            budget = {**plan["budget"], "epochs": 1}
            process = start_ours(dataset, Path(folder), {**plan, "budget": budget})
            if process.communicate() and process.returncode:
                sys.exit(f"{name} failed")
            line = json.loads((Path(folder) / "output" / "metrics.jsonl").read_text().splitlines()[-1])
        rows.append({"name": name, "images_per_second": line["images_per_second"]})
    return rows


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dicom(arguments.source, folder / "dicom", arguments.images)
        dataset, ingest_seconds = ingest(folder / "dicom", folder / "store")
        result: dict[str, Any] = {"ingest_seconds": round(ingest_seconds, 2)}
        ours_all = [ours(dataset, PLAN, arguments.target) for _ in range(arguments.repeat)]
        other_all = [
            monai_script(arguments.source, arguments.target, arguments.images)
            for _ in range(arguments.repeat)
        ]
        if arguments.explain:
            result["explanation"] = explain(dataset)
    result["ours"] = [vars(reached) for reached in ours_all]
    result["monai_script"] = [vars(reached) for reached in other_all]
    ours_s, other_s = (statistics.median(r.seconds for r in side) for side in (ours_all, other_all))
    result["ratio"] = round(other_s / ours_s, 2)
    result["ratio_with_ingest"] = round(other_s / (ours_s + ingest_seconds), 2)
    return result


def show(result: Mapping[str, Any], target: float) -> None:
    print(f"{'to validation AUROC ' + str(target):42}{'seconds':>9}{'epochs':>8}{'AUROC':>8}")
    for name in ("ours", "monai_script"):
        for reached in result[name]:
            print(f"{name:42}{reached['seconds']:9.1f}{reached['epochs']:8d}{reached['auroc']:8.4f}")
    print(f"{'ratio (wanted: at least 5)':42}{result['ratio']:9.1f}")
    print(f"{'ratio with our ingest of ' + str(result['ingest_seconds']) + ' s':42}", end="")
    print(f"{result['ratio_with_ingest']:9.1f}")
    for row in result.get("explanation", []):
        print(f"{row['name']:42}{row['images_per_second']:9.1f} images/s")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, default=SOURCE, help="pneumonia_28.npz")
    parser.add_argument("--target", type=float, default=0.97)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--images", type=int, help="the first N of each split only, for a quick try")
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        show(result, arguments.target)
    return 0 if result["ratio"] >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
