"""The manifest: one row an image, and the digest that names its content."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isocenter.domain.digest import canonical_json

if TYPE_CHECKING:
    import pyarrow as pa

    from isocenter.datasets.selection import LabelledRecord

FILE_NAME = "manifest.parquet"
# Made with the site secret, so they differ from store to store and stay out of the digest.
KEYED_COLUMNS = ("image_key", "study_key", "patient_key")
NULLABLE_COLUMNS = ("age_years", "pixel_spacing_mm", "kvp", "exposure_mas")
_AGE_BANDS = ((5, "0-4"), (18, "5-17"), (40, "18-39"), (65, "40-64"))
_DIGEST_VERSION = "isocenter-dataset-v1"


def age_band(age_years: int | None) -> str:
    """The band that slices use: 0-4, 5-17, 18-39, 40-64, 65+; empty for an unknown age."""
    if age_years is None:
        return ""
    return next((band for below, band in _AGE_BANDS if age_years < below), "65+")


def schema() -> "pa.Schema":
    """Names and types of the columns."""
    import pyarrow as pa

    text, real = pa.string(), pa.float64()
    return pa.schema(
        [
            *((name, text) for name in KEYED_COLUMNS),
            ("pixel_digest", text),
            ("label", pa.int8()),
            ("split", text),
            ("sex", text),
            ("age_years", pa.int16()),
            ("age_band", text),
            ("view", text),
            ("scanner", text),
            ("manufacturer", text),
            ("model", text),
            ("modality", text),
            ("body_part", text),
            ("photometric", text),
            ("bits_stored", pa.int16()),
            ("rows", pa.int32()),
            ("columns", pa.int32()),
            ("pixel_spacing_mm", real),
            ("kvp", real),
            ("exposure_mas", real),
            ("transfer_syntax", text),
            ("presentation_intent", text),
        ]
    )


def manifest_table(rows: Sequence["LabelledRecord"]) -> "pa.Table":
    """The manifest of ``rows``, in their order."""
    import pyarrow as pa

    size = 4096
    batches = [
        pa.RecordBatch.from_pylist([_row(row) for row in rows[start : start + size]], schema=schema())
        for start in range(0, len(rows), size)
    ]
    return pa.Table.from_batches(batches, schema=schema())


def content_digest(table: "pa.Table", classes: Sequence[str]) -> str:
    """``sha256:...`` over the canonical JSON (RFC 8785) of the classes and of each row, one a line.

    A row is its columns less the keyed ones, and its patient as content: the smallest pixel digest among the
    patient's images. Tile sizes, times and the site secret play no part.

    Args:
        table: a manifest, sorted by pixel digest.
        classes: class names by number.
    """
    digest = hashlib.sha256(canonical_json({"version": _DIGEST_VERSION, "classes": list(classes)}) + b"\n")
    for row in _content_rows(table):
        digest.update(canonical_json(row) + b"\n")
    return "sha256:" + digest.hexdigest()


def _content_rows(table: "pa.Table") -> Iterator[dict[str, Any]]:
    first_image: dict[str, str] = {}
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            group = first_image.setdefault(row["patient_key"], row["pixel_digest"])
            content = {name: value for name, value in row.items() if name not in KEYED_COLUMNS}
            yield content | {"patient": group}


def _row(row: "LabelledRecord") -> dict[str, Any]:
    record, attributes = row.record, row.record.attributes
    assert attributes is not None  # noqa: S101 - rows are made of records that were read
    keys = {name: getattr(record, name) for name in (*KEYED_COLUMNS, "pixel_digest", "split")}
    derived = {"scanner": attributes.scanner, "age_band": age_band(attributes.age_years)}
    return keys | derived | asdict(attributes) | {"label": row.label}
