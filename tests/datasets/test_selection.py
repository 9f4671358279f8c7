"""Selection and digest together: only content may decide."""

import random
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.datasets.manifest import age_band, content_digest, manifest_table
from isocenter.datasets.quarantine import Reason
from isocenter.datasets.record import SourceRecord
from isocenter.datasets.selection import select
from isocenter.imaging import AcquisitionAttributes

ATTRIBUTES = AcquisitionAttributes(
    "DX",
    "Acme",
    "1",
    "AP",
    "CHEST",
    "F",
    4,
    "MONOCHROME2",
    12,
    10,
    10,
    0.1,
    70.0,
    2.5,
    "1.2",
    "FOR PRESENTATION",
)


def record(source: str, image: str, patient: str, pixels: str, **changes: object) -> SourceRecord:
    return SourceRecord(
        source,
        "stamp",
        image_key=image,
        study_key=f"study of {image}",
        patient_key=patient,
        split="train",
        pixel_digest=pixels,
        attributes=replace(ATTRIBUTES, **changes),  # type: ignore[arg-type]
    )


def test_the_same_image_twice_is_kept_once() -> None:
    files = [record("f1", "u", "p", "x"), record("f2", "u", "p", "x"), record("f3", "v", "q", "x")]
    chosen = select(files, lambda _: 1)
    assert (len(chosen.rows), chosen.duplicates, chosen.set_aside) == (1, 2, ())


def test_one_uid_with_two_images_loses_both_and_only_them() -> None:
    files = [record("f1", "u", "p", "x"), record("f2", "u", "p", "y"), record("f3", "v", "p", "z")]
    chosen = select(files, lambda _: 0)
    assert [row.record.source_key for row in chosen.rows] == ["f3"]
    assert {(q.source_key, q.reason) for q in chosen.set_aside} == {
        ("f1", Reason.UID_CONFLICT),
        ("f2", Reason.UID_CONFLICT),
    }


def test_one_image_with_two_labels_loses_all_copies() -> None:
    files = [record(f"f{n}", f"u{n}", "p", "x") for n in range(3)] + [record("f9", "v", "p", "z")]
    chosen = select(files, lambda r: int(r.source_key == "f1"))
    assert [row.record.source_key for row in chosen.rows] == ["f9"]
    assert {q.source_key for q in chosen.set_aside if q.reason == Reason.LABEL_CONFLICT} == {"f0", "f1", "f2"}


def test_refused_and_unlabelled_files_keep_their_reasons() -> None:
    files = [SourceRecord("f1", "s", "truncated", "It ends early."), record("f2", "u", "p", "x")]
    chosen = select(files, lambda _: Reason.NO_LABEL)
    assert {(q.source_key, q.reason) for q in chosen.set_aside} == {("f1", "truncated"), ("f2", "no-label")}
    assert chosen.rows == ()


small = st.integers(0, 3)
FILES = st.lists(st.tuples(small, small, small, st.sampled_from(["AP", "PA"])), min_size=1, max_size=14)


def digest_of(files: list[SourceRecord]) -> str:
    chosen = select(files, lambda r: int(r.pixel_digest > "x1"))
    return content_digest(manifest_table(chosen.rows), ("a", "b"))


@settings(max_examples=50, deadline=None)
@given(FILES, st.randoms(use_true_random=False))
def test_neither_order_nor_keys_change_the_digest(
    files: list[tuple[int, int, int, str]], order: random.Random
) -> None:
    """Patients share images with other headers in any way; another secret permutes how keys sort."""

    def build(prefix: list[str]) -> list[SourceRecord]:
        # Each instance has one picture, so that duplicates and not UID conflicts come about.
        return [
            record(
                f"{prefix[patient]}{n}", f"{prefix[n % 4]}{n}", f"{prefix[patient]}", f"x{pixels}", view=view
            )
            for n, (patient, _, pixels, view) in enumerate(files)
        ]

    here = build(["a", "b", "c", "d"])
    elsewhere = build(["d", "b", "a", "c"])
    order.shuffle(elsewhere)
    assert digest_of(here) == digest_of(elsewhere)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["label", "split", "patient", "pixels", "view", "classes"]))
def test_each_part_of_the_content_changes_the_digest(part: str) -> None:
    files = [record("f1", "u", "p", "x"), record("f2", "v", "p", "y")]
    changed = {
        "split": [files[0], replace(files[1], split="test")],
        "patient": [files[0], replace(files[1], patient_key="q")],
        "pixels": [files[0], replace(files[1], pixel_digest="z")],
        "view": [files[0], record("f2", "v", "p", "y", view="PA")],
    }.get(part, files)
    labels = {"label": (0, 1)}.get(part, (0, 0))
    classes = ("a", "c") if part == "classes" else ("a", "b")
    rows = select(files, lambda _: 0).rows
    other = select(changed, lambda r: labels[r.source_key == "f2"]).rows
    assert content_digest(manifest_table(rows), ("a", "b")) != content_digest(manifest_table(other), classes)


def test_age_bands() -> None:
    bands = [age_band(age) for age in (None, 0, 4, 5, 17, 18, 39, 40, 64, 65, 90)]
    assert bands == ["", "0-4", "0-4", "5-17", "5-17", "18-39", "18-39", "40-64", "40-64", "65+", "65+"]


def test_records_survive_the_ledger(tmp_path: Path) -> None:
    from isocenter.datasets.record import records_table, table_records

    files = [
        record("f1", "u", "p", "x", age_years=None, kvp=None),
        SourceRecord("f2", "s", "truncated", "It ends early."),
    ]
    assert list(table_records(records_table(files))) == files
