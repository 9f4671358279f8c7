"""DICOM files made in code, so that the right answer is known beforehand."""

import importlib.util
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

DX_FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.1"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

WriteDicom = Callable[..., bytes]


def _write_dicom(
    cells: NDArray[Any] | None,
    *,
    syntax: str = EXPLICIT_LITTLE,
    frame: bytes | None = None,
    sop_class: str = DX_FOR_PRESENTATION,
    without: tuple[str, ...] = (),
    character_set: bytes = b"",
    **attributes: Any,
) -> bytes:
    """One file's bytes: ``cells`` as they are, or ``frame`` encapsulated; ``attributes`` by keyword.

    Texts are written as they are, and bytes as VR UN: pydicom doesn't check either.
    """
    from pydicom import config
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    with config.disable_value_validation():
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = UID(sop_class)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.3.4")
        ds.PhotometricInterpretation, ds.SamplesPerPixel = "MONOCHROME2", 1
        if cells is not None:
            bits = cells.dtype.itemsize * 8
            ds.Rows, ds.Columns = cells.shape
            ds.BitsAllocated, ds.BitsStored, ds.HighBit = bits, bits, bits - 1
            ds.PixelRepresentation = int(cells.dtype.kind == "i")
            ds.PixelData = encapsulate([frame or b"\0\0"]) if frame is not None else _native(cells, syntax)
            ds["PixelData"].VR = "OB" if frame is not None else "OW"
            ds["PixelData"].is_undefined_length = frame is not None
        for keyword, value in attributes.items():
            tag = tag_for_keyword(keyword)
            if isinstance(value, str):  # as it is, though it be no number
                ds.add(DataElement(tag, dictionary_VR(tag), value, already_converted=True))
            elif isinstance(value, bytes) and keyword != "PixelData":
                ds.add(DataElement(tag, "OB", value + b"\0" * (len(value) % 2), already_converted=True))
                ds[tag].VR = "UN"
            else:
                setattr(ds, keyword, value)
        for keyword in without:
            delattr(ds, keyword)
        file = io.BytesIO()
        ds.save_as(file, enforce_file_format=True)
        return _with_character_set(file.getvalue(), character_set)


def _with_character_set(file: bytes, value: bytes) -> bytes:
    """Put Specific Character Set in front of all else; pydicom would not write a wrong one."""
    if not value:
        return file
    start = 144 + int.from_bytes(file[140:144], "little")
    value += b" " * (len(value) % 2)
    element = b"\x08\x00\x05\x00CS" + len(value).to_bytes(2, "little") + value
    return file[:start] + element + file[start:]


def _native(cells: NDArray[Any], syntax: str) -> bytes:
    """Pixel data as words (OW) of the syntax's byte order, padded to an even length."""
    data = cells.astype(cells.dtype.newbyteorder("<")).tobytes()
    data += b"\0" * (len(data) % 2)
    return np.frombuffer(data, "<u2").astype(">u2").tobytes() if syntax == EXPLICIT_BIG else data


@pytest.fixture(scope="session")
def write_dicom() -> WriteDicom:
    """``write_dicom(cells, syntax=..., frame=..., sop_class=..., without=(...), Keyword=value)`` -> bytes."""
    return _write_dicom


@pytest.fixture(scope="session")
def cxr_to_dicom(shared_data: Path) -> ModuleType:
    """The shared script that writes real X-rays as three invented scanners do."""
    path = shared_data.parent / "bin" / "cxr_to_dicom.py"
    spec = importlib.util.spec_from_file_location("cxr_to_dicom", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def real_xray(shared_data: Path) -> NDArray[np.uint8]:
    """One real chest X-ray: uint8 [512, 512]."""
    import tarfile

    from PIL import Image

    with tarfile.open(shared_data / "cxr" / "chest_xray_224_train.tar") as archive:
        name = min(m.name for m in archive.getmembers() if m.name.startswith("NORMAL/") and m.isfile())
        data = archive.extractfile(name)
        assert data is not None
        image = Image.open(io.BytesIO(data.read())).convert("L").resize((512, 512))
    return np.asarray(image)
