"""The ReferenceProfile and the statistics of a tile."""

import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from scipy.ndimage import gaussian_filter

from isocenter.errors import InputError
from isocenter.imaging import prepare
from isocenter.imaging.statistics import STATISTICS, tile_statistics
from isocenter_training import reference_profile


@pytest.fixture(scope="module")
def profile(trained: Any) -> dict[str, Any]:
    return reference_profile.build(trained.dataset)


def test_counts_are_those_of_the_training_split(profile: dict[str, Any], trained: Any) -> None:
    table = trained.dataset.table
    rows = table.filter(pc.equal(table["split"], "train")).to_pylist()
    assert profile["images"] == len(rows)
    assert profile["patients"] == len({row["patient_key"] for row in rows})
    assert profile["labels"] == {
        name: sum(row["label"] == label for row in rows) for label, name in enumerate(("normal", "pneumonia"))
    }
    for name, counts in profile["attributes"].items():
        assert counts == {
            str(value): sum(row[name] == value for row in rows) for value in {r[name] for r in rows}
        }
    assert profile["measurements"]["rows"]["quantiles"] == [48.0] * 101
    assert profile["measurements"]["kvp"] == {"count": 0, "missing": len(rows)}


def test_is_json_without_patient_data(profile: dict[str, Any], trained: Any) -> None:
    text = json.dumps(profile, allow_nan=False)
    assert "CANARY" not in text
    table = trained.dataset.table
    for name in ("patient_key", "study_key", "image_key", "pixel_digest"):
        assert not [key for key in table[name].to_pylist() if key in text]


def test_another_store_gives_the_same_profile(
    profile: dict[str, Any], chain: ModuleType, trained: Any, tmp_path: Path
) -> None:
    source = tmp_path / "elsewhere"
    shutil.copytree(trained.source, source)
    dataset = chain.ingest_folder(tmp_path / "store", source, source / "labels.csv")
    assert json.dumps(reference_profile.build(dataset)) == json.dumps(profile)


def test_describes_the_tiles_of_the_split(profile: dict[str, Any], trained: Any) -> None:
    rows = trained.dataset.rows("train")
    tiles = trained.dataset.pixels(32)[rows]
    means = [tile_statistics(tile)["mean"] for tile in tiles]
    found = profile["image_statistics"]["mean"]
    assert found["count"] == len(rows)
    assert found["quantiles"][50] == pytest.approx(np.median(means), rel=1e-5)
    assert sum(found["histogram"]["counts"]) == len(rows)
    shares = np.histogram(tiles, bins=32, range=(0, 65536))[0] / tiles.size
    assert profile["intensity"]["shares"] == pytest.approx(shares.tolist(), rel=1e-5)


def test_looks_at_a_bounded_sample(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_profile, "MOST_IMAGES", 10)
    found = reference_profile.build(trained.dataset)
    assert found["image_statistics"]["mean"]["count"] == 10
    assert found["images"] > 10


def test_needs_to_know_the_size_when_there_are_two(chain: ModuleType, trained: Any, tmp_path: Path) -> None:
    from isocenter.datasets import ingest, open_dataset
    from isocenter.home import open_home

    home, labels = open_home(tmp_path / "store"), trained.source / "labels.csv"
    for size in (32, 16):
        result = ingest(
            home, trained.source, labels=labels, classes=chain.CLASSES, image_size=size, processes=1
        )
    dataset = open_dataset(result.path)
    with pytest.raises(InputError, match="2 sizes"):
        reference_profile.build(dataset)
    assert reference_profile.build(dataset, 16)["image_size"] == 16


def test_tile_statistics_by_hand() -> None:
    tile = np.zeros((8, 8), dtype=np.uint16)
    tile[2:6, :] = 65535
    tile[2:6, :4] = 13107  # 0.2
    found = tile_statistics(tile)
    assert tuple(found) == STATISTICS
    assert found["border_fraction"] == 0.5
    assert found["mean"] == pytest.approx(0.6)
    assert found["deviation"] == pytest.approx(0.4)
    assert found["entropy"] == pytest.approx(1.0)
    assert (found["percentile_01"], found["percentile_99"]) == pytest.approx((0.2, 1.0))
    assert (found["clipped_low"], found["clipped_high"]) == (0.0, 0.5)
    # The Laplacian is 0.8 on one side of the edge and -0.8 on the other, 0 elsewhere: 2 of 6 columns.
    assert found["sharpness"] == pytest.approx(0.64 / 3)


def test_letterbox_changes_the_border_only() -> None:
    pixels = np.random.default_rng(0).uniform(0.2, 0.8, (64, 64)).astype(np.float32)
    square, wide = tile_statistics(prepare(pixels, 64)), tile_statistics(prepare(pixels[:32], 64))
    assert (square["border_fraction"], wide["border_fraction"]) == (0.0, 0.5)
    for name in ("mean", "deviation", "sharpness", "noise", "entropy"):
        assert wide[name] == pytest.approx(square[name], rel=0.1), name


def test_blur_and_noise_show() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    clean = (0.5 + 0.2 * np.sin(x / 3) * np.cos(y / 4)).astype(np.float32)
    noisy = np.clip(clean + rng.normal(0, 0.05, clean.shape), 0, 1).astype(np.float32)
    blurred = gaussian_filter(clean, 1.5)
    plain, grainy, soft = (tile_statistics(prepare(pixels, 64)) for pixels in (clean, noisy, blurred))
    assert grainy["noise"] == pytest.approx(0.05, rel=0.2)
    assert plain["noise"] < 0.01
    assert soft["sharpness"] < plain["sharpness"] < grainy["sharpness"]


@pytest.mark.parametrize("value", [0, 65535])
def test_flat_tiles_have_statistics(value: int) -> None:
    found = tile_statistics(np.full((16, 16), value, dtype=np.uint16))
    assert all(np.isfinite(list(found.values())))
    assert found["entropy"] == 0
    assert found["border_fraction"] == (1.0 if value == 0 else 0.0)
