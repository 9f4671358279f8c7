"""Files a second from DICOM to the pixel cache, beside MONAI; and a pass over the cache beside raw reading.

    python bench/ingest.py [--files 160] [--jpeg-ls-files 48] [--monai-files 16] [--side 2048] [--json]

Writes DX images of side x side pixels, 12 bits: real X-rays enlarged where the shared data is beside the
checkout, else a smooth picture, with noise in the low bits as detectors have. Everything is read once before
it is timed, so that both sides read from memory and not from disk. MONAI is what a user would write: one
``LoadImage(reader=PydicomReader())`` in a loop, in one process, as its tutorials do. Of both sides the better
of two runs counts.
"""

import argparse
import io
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset as Header
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless, generate_uid

from isocenter.datasets import ingest
from isocenter.datasets.chunk import new_tiles_path, write_tiles
from isocenter.datasets.ledger import TilePlace
from isocenter.datasets.pixel_cache import open_cache, write_cache
from isocenter.home import open_home

SHARED = Path(__file__).parents[1].parent / "shared" / "data"
DX = UID("1.2.840.10008.5.1.4.1.1.1.1")
CLASSES = ("normal", "pneumonia")
TILE = 128
WANTED = {"uncompressed": 5.0, "jpeg-ls": 2.0, "second pass": 0.8}


@dataclass(frozen=True)
class Measurement:
    """One comparison: ours, the other's, in ``unit``, and the ratio that the issue wants."""

    name: str
    ours: float
    other: float
    unit: str
    wanted: float | None = None

    @property
    def ratio(self) -> float:
        return self.ours / self.other


def pictures(side: int, count: int) -> Iterator[NDArray[np.uint16]]:
    """12-bit pictures [side, side]."""
    rng = np.random.default_rng(0)
    for base in base_pictures(count):
        large = np.asarray(base.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int32) * 16
        yield np.clip(large + rng.integers(-6, 7, large.shape), 0, 4095).astype(np.uint16)


def base_pictures(count: int) -> Iterator[Image.Image]:
    archive = SHARED / "cxr" / "chest_xray_224_train.tar"
    if not archive.exists():
        print("The shared X-rays are not there: smooth pictures instead.", file=sys.stderr)
        for number in range(count):
            yield Image.radial_gradient("L").rotate(number)
        return
    with tarfile.open(archive) as opened:
        members = [member for member in opened.getmembers() if member.isfile()]
        for member in members[:: max(1, len(members) // count)][:count]:
            stream = opened.extractfile(member)
            assert stream is not None
            yield Image.open(io.BytesIO(stream.read())).convert("L")


def write_dicom(path: Path, pixels: NDArray[np.uint16], syntax: UID, number: int) -> None:
    ds = Header()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = DX
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.PatientID, ds.Modality = generate_uid(), f"p{number}", "DX"
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = pixels.tobytes()
    if syntax != ExplicitVRLittleEndian:
        ds.compress(syntax)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def write_set(root: Path, syntax: UID, side: int, count: int) -> list[Path]:
    paths = []
    for number, pixels in enumerate(pictures(side, count)):
        paths.append(root / CLASSES[number % 2] / f"{number}.dcm")
        write_dicom(paths[-1], pixels, syntax, number)
    return paths


def warm(paths: Sequence[Path]) -> None:
    """Files in memory, and none of them waiting to be written: else our first fsync would write them."""
    os.sync()
    for path in paths:
        path.read_bytes()


def files_per_second_of_ingest(source: Path, count: int, processes: int) -> float:
    """End to end: processes started, files read, dataset published."""
    with tempfile.TemporaryDirectory() as store:
        start = time.perf_counter()
        result = ingest(
            open_home(Path(store)),
            source,
            labels=None,
            classes=CLASSES,
            image_size=TILE,
            processes=processes,
        )
        seconds = time.perf_counter() - start
    assert result.used == count, result
    return count / seconds


def files_per_second_of_monai(paths: Sequence[Path]) -> float:
    import warnings

    from monai.data import PydicomReader
    from monai.transforms import LoadImage

    warnings.simplefilter("ignore")  # MONAI says once an image that DX has no patient orientation
    load = LoadImage(reader=PydicomReader(), image_only=True)
    load(paths[0])  # what is imported and set up once is not counted
    start = time.perf_counter()
    for path in paths:
        load(path)
    return len(paths) / (time.perf_counter() - start)


def best_of_two(measure: Callable[[], float]) -> float:
    return max(measure(), measure())


def compare_reading(
    folder: Path, name: str, syntax: UID, counts: tuple[int, int], side: int
) -> list[Measurement]:
    paths = write_set(folder / name, syntax, side, counts[0])
    warm(paths)
    cores = len(os.sched_getaffinity(0))
    monai = best_of_two(lambda: files_per_second_of_monai(paths[: counts[1]]))
    all_cores = best_of_two(lambda: files_per_second_of_ingest(folder / name, len(paths), cores))
    one = files_per_second_of_ingest(folder / name, len(paths), 1)
    return [
        Measurement(
            f"{name} {side}², {cores} processes / MONAI loop", all_cores, monai, "files/s", WANTED[name]
        ),
        Measurement(f"{name} {side}², 1 process / MONAI loop", one, monai, "files/s"),
    ]


def compare_second_pass(folder: Path, tiles: int, batch: int = 64) -> Measurement:
    """Batches of tiles copied out of the cache, beside reading the bytes of the file in equal pieces."""
    rng = np.random.default_rng(0)
    source = new_tiles_path(folder)
    write_tiles(source, list(rng.integers(0, 65536, (256, TILE, TILE), dtype=np.uint16)), TILE)
    cache = folder / "pixels" / f"{TILE}.npy"
    write_cache(cache, [TilePlace(source, row % 256) for row in range(tiles)], TILE, "bench")
    ours, raw = [], []
    for _ in range(9):
        raw.append(timed(lambda: read_raw(cache, batch * TILE * TILE * 2)))
        ours.append(timed(lambda: read_tiles(cache, batch)))
    size = cache.stat().st_size / 1e6
    return Measurement(
        f"second pass, {tiles} tiles in batches of {batch} / raw bytes",
        size / statistics.median(ours),
        size / statistics.median(raw),
        "MB/s",
        WANTED["second pass"],
    )


def read_tiles(cache: Path, batch: int) -> None:
    tiles = open_cache(cache)
    out = np.empty((batch, TILE, TILE), np.uint16)
    for start in range(0, len(tiles), batch):
        np.copyto(out, tiles[start : start + batch])


def read_raw(path: Path, piece: int) -> None:
    out = bytearray(piece)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(out):
            pass


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(measurements: Sequence[Measurement]) -> None:
    print(f"{'':58}{'isocenter':>12}{'other':>12}{'':>9}{'ratio':>8}{'wanted':>8}")
    for m in measurements:
        wanted = f"{m.wanted:.1f}" if m.wanted else ""
        print(f"{m.name:58}{m.ours:12.1f}{m.other:12.1f} {m.unit:8}{m.ratio:7.2f}x{wanted:>8}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=160)
    parser.add_argument("--jpeg-ls-files", type=int, default=48)
    parser.add_argument("--monai-files", type=int, default=16)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--tiles", type=int, default=8192)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, packed = (options.files, options.monai_files), (options.jpeg_ls_files, options.monai_files)
        measurements = [
            *compare_reading(folder, "uncompressed", ExplicitVRLittleEndian, plain, options.side),
            *compare_reading(folder, "jpeg-ls", JPEGLSLossless, packed, options.side),
            compare_second_pass(folder, options.tiles),
        ]
    if options.json:
        print(json.dumps([vars(m) | {"ratio": m.ratio} for m in measurements], indent=2))
    else:
        show(measurements)
    missed = [m.name for m in measurements if m.wanted and m.ratio < m.wanted]
    if missed:
        sys.exit("Below what is wanted: " + "; ".join(missed))


if __name__ == "__main__":
    main()
