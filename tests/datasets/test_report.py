import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from dicom_files import Xray
from PIL import Image

from isocenter.datasets import Dataset, IngestResult, open_dataset, summarise
from isocenter.datasets.report import write_report
from isocenter.datasets.summary import cramers_v
from isocenter.errors import EnvironmentFaultError

CLASSES = ("normal", "pneumonia")


@pytest.fixture
def dataset(tmp_path: Path, take_in: Callable[..., IngestResult]) -> Dataset:
    """Twenty images of ten patients; one scanner made all pneumonia images but one."""
    for number in range(20):
        positive = number % 2
        header = {
            "ManufacturerModelName": "Polar & <script> 7" if positive and number > 1 else "DX-100",
            "PatientSex": "M" if number % 4 < 2 else "",
            "ViewPosition": "AP",
            "PatientAge": f"{number:03}Y",
        }
        xray = Xray(f"i{number}", patient=f"p{number // 2}", header=header)
        xray.write(tmp_path / "source" / CLASSES[positive] / f"{number}.dcm")
    (tmp_path / "source" / "empty.dcm").touch()
    (tmp_path / "source" / "text.dcm").write_text("no image" * 100)
    return open_dataset(take_in(tmp_path / "source", image_size=32).path)


def test_the_numbers_are_those_of_the_files(dataset: Dataset) -> None:
    summary = summarise(dataset)
    assert (summary.images, summary.patients, summary.studies) == (20, 10, 20)
    assert [(c.name, c.images, c.patients) for c in summary.class_counts] == [
        ("normal", 10, 10),
        ("pneumonia", 10, 10),
    ]
    assert sum(split.images for split in summary.splits) == 20
    assert sum(split.patients for split in summary.splits) == 10
    assert all(split.by_class == (split.patients, split.patients) for split in summary.splits)
    scanners = {count.value: count.by_class for count in summary.attributes["scanner"]}
    assert scanners == {"Acme Röntgen DX-100": (10, 1), "Acme Röntgen Polar & script 7": (0, 9)}
    assert {count.value: count.images for count in summary.attributes["sex"]} == {"M": 10, "": 10}
    assert [(count.value, count.images) for count in summary.attributes["age_band"]] == [
        ("0-4", 5),
        ("5-17", 13),
        ("18-39", 2),
    ]
    assert {(count.reason, count.files) for count in summary.quarantine} == {
        ("empty-file", 1),
        ("not-dicom", 1),
    }


def test_a_scanner_that_gives_the_class_away_is_remarked(dataset: Dataset) -> None:
    remarks = summarise(dataset).remarks
    assert any(remark.startswith("Scanner and class go together") for remark in remarks)
    assert not any(remark.startswith(("Sex", "View")) for remark in remarks)


def test_a_split_without_a_class_is_remarked(tmp_path: Path, take_in: Callable[..., IngestResult]) -> None:
    for number in (0, 1):
        Xray(f"i{number}", patient="same").write(tmp_path / "few" / CLASSES[number] / "x.dcm")
    remarks = summarise(open_dataset(take_in(tmp_path / "few").path)).remarks
    assert sum(remark.endswith("split: add patients.") for remark in remarks) == 4


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[10, 0], [0, 10]], 1.0),
        ([[5, 5], [10, 10]], 0.0),
        ([[10, 20], [30, 5]], abs(10 * 5 - 20 * 30) / (30 * 35 * 40 * 25) ** 0.5),  # phi of a 2x2 table
        ([[7, 3]], 0.0),
        ([[7, 0], [3, 0]], 0.0),
    ],
)
def test_cramers_v(counts: list[list[float]], expected: float) -> None:
    assert cramers_v(np.array(counts, dtype=float)) == pytest.approx(expected, abs=1e-4)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.images: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        if tag == "img":
            self.images.append(values["src"] or "")
        self.addresses += [str(values[name]) for name in ("href", "src", "action") if name in values]


def test_the_report_needs_nothing_from_outside_and_escapes_what_files_say(
    dataset: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "reports" / "r.html"
    write_report(dataset, summarise(dataset), path)
    text, page = path.read_text(encoding="utf-8"), _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert "Polar &amp; script 7" in text
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.search(r"https?:|url\(|@import", text)
    assert path.stat().st_mode & 0o777 == 0o600
    assert dataset.record.digest in text


def test_the_contact_sheet_shows_each_image_of_its_class(dataset: Dataset, tmp_path: Path) -> None:
    write_report(dataset, summarise(dataset), tmp_path / "r.html")
    page = _Page()
    page.feed((tmp_path / "r.html").read_text(encoding="utf-8"))
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))), dtype=float)
        for uri in page.images
    ]
    labels = dataset.column("label")
    order = [row for number in (0, 1) for row in np.flatnonzero(labels == number)]
    assert len(pictures) == 20
    for picture, row in zip(pictures, order, strict=True):
        tile = dataset.pixels(32)[row] / 257.0
        assert np.corrcoef(picture.ravel(), tile.ravel())[0, 1] > 0.95


def test_a_report_that_cannot_be_written(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFaultError, match="can't be written"):
        write_report(dataset, summarise(dataset), tmp_path / "file" / "r.html")
