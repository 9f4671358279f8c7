"""The builder of X-ray files, and ingest with the settings that most tests use."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isocenter.datasets import IngestResult, ingest
from isocenter.home import Home

CLASSES = ("normal", "pneumonia")


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# The test folders are no packages; this makes `from dicom_files import Xray` work in the tests beside.
_load("dicom_files")


@pytest.fixture
def take_in(home: Home) -> Callable[..., IngestResult]:
    """``ingest`` into this test's own store, small tiles, one process."""

    def run(source: Path, labels: Path | None = None, **settings: Any) -> IngestResult:
        chosen = {"classes": CLASSES, "image_size": 16, "processes": 1, "home": home} | settings
        return ingest(chosen.pop("home"), source, labels=labels, **chosen)

    return run


@pytest.fixture
def write_labels(tmp_path: Path) -> Callable[..., Path]:
    """Writes a label table; ``rows`` are (identifier, label)."""

    def write(rows: list[tuple[str, object]], column: str = "SOPInstanceUID") -> Path:
        path = tmp_path / "labels.csv"
        lines = [f"{column},label", *(f"{identifier},{label}" for identifier, label in rows)]
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write
