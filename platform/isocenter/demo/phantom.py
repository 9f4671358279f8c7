"""Write the synthetic chest X-ray set to a folder."""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain, count
from pathlib import Path

from isocenter.demo.instance import encode, instance_uid
from isocenter.demo.radiograph import expose
from isocenter.demo.roster import PlannedImage, plan_patient
from isocenter.demo.set_record import SetRecord, generator_digest, put, read_record, save_record
from isocenter.errors import EnvironmentFaultError, InputError

Progress = Callable[[int, int], None]

_SIZES = (64, 2048)
_MOST_PATIENTS = 10_000
# The patients of the two unseen files have numbers that no set reaches.
_FIRST_UNSEEN = 1_000_000
_THREADS = 2


@dataclass(frozen=True)
class DemoSet:
    """A written set.

    Attributes:
        folder: the DICOM files, in one folder a patient.
        labels: labels.csv with columns SOPInstanceUID and label.
        unseen: two files of patients who are not in ``folder``: a normal one, one with pneumonia.
        card: card.yaml, the part of a model card that people write, for the demo.
        images: DICOM files in ``folder``.
        patients: patients in ``folder``.
        written: files that were not there already, or differed.
    """

    folder: Path
    labels: Path
    unseen: tuple[Path, Path]
    card: Path
    images: int
    patients: int
    written: int


def write_demo_set(
    out: Path, *, patients: int = 120, seed: int = 7, size: int = 512, progress: Progress | None = None
) -> DemoSet:
    """Write a synthetic chest X-ray set as DICOM; what is there already with the same content is left alone.

    Stopped at any moment, the same call completes the set. More ``patients`` add to a set.

    Args:
        out: folder to write to: absent, empty, or holding an earlier demo set of the same seed and size.
        patients: how many; half of them have pneumonia.
        seed: everything follows from it.
        size: pixels along the longer side of the largest images, 64 to 2048.
        progress: called with files done and files in all.

    Raises:
        InputError: a setting is out of range, or ``out`` holds something else.
        EnvironmentFaultError: ``out`` can't be written.
    """
    _check(patients, seed, size)
    wanted = SetRecord(generator=generator_digest(), patients=patients, seed=seed, size=size)
    try:
        known = _claim(out, wanted)
        written, digests = _write(out, wanted, known, progress or (lambda done, total: None))
        save_record(out, wanted.model_copy(update={"files": digests}))
    except PermissionError as error:
        raise EnvironmentFaultError(
            f"The demo set can't be written: {error.strerror}.", hint="Choose another folder with --out."
        ) from error
    images = sum(name.startswith("dicom/") for name in digests)
    unseen = out / "unseen/normal.dcm", out / "unseen/pneumonia.dcm"
    return DemoSet(out / "dicom", out / "labels.csv", unseen, out / "card.yaml", images, patients, written)


def _check(patients: int, seed: int, size: int) -> None:
    if not 2 <= patients <= _MOST_PATIENTS:
        raise InputError(f"A demo set has 2 to {_MOST_PATIENTS} patients, not {patients}.")
    if not _SIZES[0] <= size <= _SIZES[1]:
        raise InputError(f"A demo image has {_SIZES[0]} to {_SIZES[1]} pixels a side, not {size}.")
    if seed < 0:
        raise InputError("The seed of a demo set is 0 or more.")


def _claim(out: Path, wanted: SetRecord) -> Mapping[str, str]:
    """Make ``out`` ours; return what an earlier complete call left there: file name to SHA-256."""
    if out.exists() and not out.is_dir():
        raise InputError("The demo set needs a folder; --out names a file.")
    earlier = read_record(out)
    if earlier is None:
        if out.is_dir() and any(not path.name.startswith(".tmp-") for path in out.iterdir()):
            raise InputError(
                "The folder for the demo set holds other files.", hint="Give --out a new or empty folder."
            )
        save_record(out, wanted)
        return {}
    _require_extension(earlier, wanted)
    known = earlier.files if earlier.generator == wanted.generator else {}
    save_record(out, wanted.model_copy(update={"files": known}))
    return known


def _require_extension(earlier: SetRecord, wanted: SetRecord) -> None:
    same = (earlier.seed, earlier.size) == (wanted.seed, wanted.size)
    if same and earlier.patients <= wanted.patients:
        return
    raise InputError(
        f"The folder holds a demo set with {earlier.patients} patients, seed {earlier.seed} and "
        f"size {earlier.size}.",
        hint="Give --out another folder, or the same seed and size and at least as many patients.",
    )


def _write(
    out: Path, wanted: SetRecord, known: Mapping[str, str], progress: Progress
) -> tuple[int, dict[str, str]]:
    images = _planned(wanted)
    written, digests = 0, dict[str, str]()
    # Threads: numpy works outside the interpreter's lock, and a caller needs no guard for its main module.
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting = {
            pool.submit(_bring_about, out / name, known.get(name), wanted, image): name
            for name, image in images.items()
        }
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                digests[waiting[future]], fresh = future.result()
                written += fresh
                progress(done, len(images))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    card = files("isocenter.demo").joinpath("card.yaml").read_bytes()
    for name, data in (("labels.csv", _labels(wanted, images)), ("card.yaml", card)):
        written += put(out / name, data)
        digests[name] = hashlib.sha256(data).hexdigest()
    return written, dict(sorted(digests.items()))


def _planned(wanted: SetRecord) -> dict[str, PlannedImage]:
    """File name, relative to the set's folder, to what is in it."""
    images = chain.from_iterable(plan_patient(wanted.seed, number) for number in range(wanted.patients))
    named = {
        f"dicom/{image.patient.patient_id}/study{image.study + 1}/image{image.number + 1}.dcm": image
        for image in images
    }
    return named | {
        "unseen/normal.dcm": _unseen(wanted.seed, pneumonia=False),
        "unseen/pneumonia.dcm": _unseen(wanted.seed, pneumonia=True),
    }


def _unseen(seed: int, *, pneumonia: bool) -> PlannedImage:
    candidates = (plan_patient(seed, number)[0] for number in count(_FIRST_UNSEEN))
    return next(image for image in candidates if image.pneumonia == pneumonia)


def _bring_about(path: Path, known: str | None, wanted: SetRecord, image: PlannedImage) -> tuple[str, bool]:
    """Make one file unless it is there as ``known``; returns its SHA-256 and whether it was written."""
    if known and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == known:
        return known, False
    picture, spacing = expose(image, seed=wanted.seed, size=wanted.size)
    data = encode(image, picture, spacing, uid_root=_uid_root(wanted))
    return hashlib.sha256(data).hexdigest(), put(path, data)


def _labels(wanted: SetRecord, images: Mapping[str, PlannedImage]) -> bytes:
    stream = io.StringIO(newline="")
    rows = csv.writer(stream)
    rows.writerow(("SOPInstanceUID", "label"))
    for name, image in images.items():
        if name.startswith("dicom/"):
            uid = instance_uid(*_uid_root(wanted), image.patient.number, image.study, image.number, "image")
            rows.writerow((uid, "pneumonia" if image.pneumonia else "normal"))
    return stream.getvalue().encode()


def _uid_root(wanted: SetRecord) -> tuple[object, ...]:
    return "isocenter-demo", wanted.seed, wanted.size
