"""The dataset report: one HTML file with charts and a contact sheet, which needs nothing from outside."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isocenter.datasets.attribute_display import display_value
from isocenter.datasets.reader import Dataset
from isocenter.datasets.summary import ATTRIBUTES, DatasetSummary
from isocenter.errors import EnvironmentFaultError
from isocenter.storage.atomic import write_bytes

IMAGES_PER_CLASS = 24
_THUMBNAIL = 160
_MOST_BARS = 12
# It shows patients' images: for the user's eyes.
_MODE = 0o600


@dataclass(frozen=True)
class Bar:
    """One bar of a chart: images by class, and their widths in percent of the longest bar."""

    label: str
    images: int
    by_class: tuple[int, int]
    widths: tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """Bars under a title; ``left_out`` values have no bar."""

    title: str
    bars: tuple[Bar, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Thumbnail:
    """A small image as a data URI, and what is known of it."""

    uri: str
    caption: str


def write_report(dataset: Dataset, summary: DatasetSummary, path: Path) -> None:
    """Write the report of ``dataset`` to ``path`` (mode 0600).

    Args:
        dataset: what to show images of.
        summary: its numbers.
        path: the HTML file; replaced if it is there.

    Raises:
        EnvironmentFaultError: ``path`` can't be written.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("isocenter.datasets"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html").render(
        summary=summary,
        splits=split_chart(summary),
        charts=[attribute_chart(summary, name) for name in ATTRIBUTES],
        contact_sheet=list(zip(summary.class_counts, contact_sheet(dataset), strict=True)),
    )
    try:
        write_bytes(path, page.encode(), mode=_MODE)
    except OSError as error:
        raise EnvironmentFaultError(f"The report can't be written: {error.strerror}.") from error


def split_chart(summary: DatasetSummary) -> Chart:
    """Images by split and class."""
    counts = [(str(split.split), split.by_class) for split in summary.splits]
    return Chart("Split", _bars(counts))


def attribute_chart(summary: DatasetSummary, name: str) -> Chart:
    """Images by value of an attribute and class; of many values the most frequent."""
    counts = summary.attributes[name]
    shown = [(display_value(name, count.value), count.by_class) for count in counts[:_MOST_BARS]]
    return Chart(ATTRIBUTES[name], _bars(shown), max(0, len(counts) - _MOST_BARS))


def _bars(counts: Sequence[tuple[str, tuple[int, int]]]) -> tuple[Bar, ...]:
    longest = max((sum(by_class) for _, by_class in counts), default=0) or 1
    return tuple(
        Bar(
            label,
            sum(by_class),
            by_class,
            (round(100 * by_class[0] / longest, 2), round(100 * by_class[1] / longest, 2)),
        )
        for label, by_class in counts
    )


def contact_sheet(dataset: Dataset) -> list[list[Thumbnail]]:
    """For each class thumbnails of images spread evenly over the manifest; none without cached pixels."""
    if not dataset.sizes:
        return [[], []]
    tiles = dataset.pixels(_best_size(dataset.sizes))
    labels = dataset.column("label")
    return [
        [_thumbnail(dataset, tiles, int(row)) for row in _spread(np.flatnonzero(labels == number))]
        for number in (0, 1)
    ]


def _best_size(sizes: Sequence[int]) -> int:
    """The smallest size that fills a thumbnail, else the largest."""
    return min((size for size in sizes if size >= _THUMBNAIL), default=max(sizes))


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(rows) <= IMAGES_PER_CLASS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, IMAGES_PER_CLASS).astype(np.int64)]


def _thumbnail(dataset: Dataset, tiles: NDArray[np.uint16], row: int) -> Thumbnail:
    from PIL import Image

    picture = Image.fromarray((tiles[row] >> 8).astype(np.uint8))
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    uri = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    return Thumbnail(uri, _caption(dataset, row))


def _caption(dataset: Dataset, row: int) -> str:
    table = dataset.table
    parts = [str(table.column(name)[row].as_py()) for name in ("split", "view", "sex", "age_band", "scanner")]
    return " · ".join(part for part in parts if part)
