"""Files a second of the DICOM reader alone, by transfer syntax, on one core and on all, beside MONAI.

    python bench/ingest_decode.py [--files 16] [--monai-files 6] [--side 2048] [--size 224] [--json]

"pixels" is read_radiograph; "prepared" is read_prepared: pixels, their digest and the tile, as in ingest.
bench/ingest.py writes the files and measures ingest as a whole. MONAI is one loop of
LoadImage(reader=PydicomReader()), which gives pixels.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import imagecodecs
import numpy as np
from ingest import files_per_second_of_monai, warm, write_set
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from isocenter.imaging import read_prepared, read_radiograph

Encode = Callable[[NDArray[np.uint16]], bytes]
# What ingest is to reach beside the MONAI loop, by the issue.
WANTED = {"uncompressed": 5.0, "jpeg-ls": 2.0}
WRITTEN_BY_PYDICOM = {
    "uncompressed": ExplicitVRLittleEndian,
    "jpeg-ls": JPEGLSLossless,
    "rle": RLELossless,
}
WRITTEN_BY_IMAGECODECS: dict[str, tuple[UID, Encode]] = {
    "jpeg lossless": (JPEGLosslessSV1, partial(imagecodecs.jpeg8_encode, lossless=True, bitspersample=16)),
    "jpeg 2000": (
        JPEG2000Lossless,
        partial(imagecodecs.jpeg2k_encode, codecformat="j2k", level=0, bitspersample=12),
    ),
}


@dataclass(frozen=True)
class Reading:
    """One transfer syntax: median milliseconds on one core, and files/s of the whole way."""

    syntax: str
    pixels_ms: float
    prepared_ms: float
    one_core: float
    all_cores: float
    monai: float | None

    @property
    def ratio(self) -> float | None:
        return self.all_cores / self.monai if self.monai else None


def seconds(work: Callable[[Path], object], paths: Sequence[Path]) -> list[float]:
    work(paths[0])
    taken = []
    for path in paths:
        start = time.perf_counter()
        work(path)
        taken.append(time.perf_counter() - start)
    return taken


def prepared(path: Path, size: int) -> None:
    """In another process: the result stays there, as ingest leaves it in a file."""
    read_prepared(path, size)


def files_per_second_of_all_cores(paths: Sequence[Path], size: int) -> float:
    """With the processes started and their imports done beforehand."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, get_context("forkserver")) as pool:
        list(pool.map(partial(prepared, size=size), list(paths[:1]) * 4 * cores))
        start = time.perf_counter()
        list(pool.map(partial(prepared, size=size), paths))
        return len(paths) / (time.perf_counter() - start)


def measure(syntax: str, paths: Sequence[Path], size: int, monai: float | None) -> Reading:
    pixels = seconds(read_radiograph, paths)
    whole = seconds(partial(prepared, size=size), paths)
    return Reading(
        syntax,
        1e3 * statistics.median(pixels),
        1e3 * statistics.median(whole),
        len(whole) / sum(whole),
        files_per_second_of_all_cores(paths, size),
        monai,
    )


def recompressed(paths: Sequence[Path], folder: Path, syntax: UID, encode: Encode) -> list[Path]:
    """The uncompressed files again in ``syntax``."""
    folder.mkdir(parents=True)
    written = []
    for path in paths:
        ds = dcmread(path)
        cells = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
        ds.PixelData = encapsulate([bytes(encode(cells))])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = syntax
        written.append(folder / path.name)
        ds.save_as(written[-1], enforce_file_format=True)
    return written


def measure_all(folder: Path, options: argparse.Namespace) -> list[Reading]:
    readings = []
    for name, syntax in WRITTEN_BY_PYDICOM.items():
        paths = write_set(folder / name, syntax, options.side, options.files)
        warm(paths)
        monai = files_per_second_of_monai(paths[: options.monai_files])
        readings.append(measure(name, paths, options.size, monai))
    plain = sorted((folder / "uncompressed").rglob("*.dcm"))
    for name, (syntax, encode) in WRITTEN_BY_IMAGECODECS.items():
        # MONAI's reader would need one more decoder for these.
        paths = recompressed(plain, folder / name, syntax, encode)
        warm(paths)
        readings.append(measure(name, paths, options.size, None))
    return readings


def show(readings: Sequence[Reading]) -> None:
    cores = len(os.sched_getaffinity(0))
    print(f"{'':16}{'pixels ms':>11}{'prepared ms':>13}", end="")
    print(f"{'1 core/s':>11}{f'{cores} cores/s':>12}{'MONAI/s':>10}{'ratio':>8}{'wanted':>8}")
    for r in readings:
        print(f"{r.syntax:16}{r.pixels_ms:11.1f}{r.prepared_ms:13.1f}", end="")
        print(f"{r.one_core:11.1f}{r.all_cores:12.1f}", end="")
        print(f"{r.monai:10.1f}{r.ratio:7.1f}x" if r.monai else f"{'-':>10}{'-':>8}", end="")
        print(f"{WANTED[r.syntax]:7.1f}x" if r.syntax in WANTED else "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--monai-files", type=int, default=6)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--size", type=int, default=224, help="side of the prepared tile")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        readings = measure_all(Path(name), options)
    if options.json:
        print(json.dumps([vars(r) | {"ratio": r.ratio} for r in readings], indent=2))
    else:
        show(readings)
    missed = [r.syntax for r in readings if r.ratio is not None and r.ratio < WANTED.get(r.syntax, 0)]
    if missed:
        sys.exit("Below what is wanted: " + "; ".join(missed))


if __name__ == "__main__":
    main()
