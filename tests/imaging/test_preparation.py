"""From pixels to the tile of the model."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.imaging import Refused, pixel_digest, prepare, read_prepared, read_radiograph, to_unit


def test_a_square_fills_the_tile() -> None:
    tile = prepare(np.full((300, 300), 0.25, np.float32), 64)
    assert tile.shape == (64, 64) and tile.dtype == np.uint16
    assert (tile == round(0.25 * 65535)).all()


@pytest.mark.parametrize(("shape", "inside"), [((100, 200), (slice(16, 48), slice(0, 64))),
                                               ((200, 100), (slice(0, 64), slice(16, 48)))])  # fmt: skip
def test_aspect_is_kept_and_the_rest_is_black(shape: tuple[int, int], inside: tuple[slice, slice]) -> None:
    tile = prepare(np.ones(shape, np.float32), 64)
    expected = np.zeros((64, 64), np.uint16)
    expected[inside] = 65535
    assert np.array_equal(tile, expected)


def test_shrinking_averages_instead_of_skipping() -> None:
    # Lines of one pixel: sampling would give all black or all white; any average gives a half.
    lines = np.zeros((1024, 1024), np.float32)
    lines[:, ::2] = 1.0
    tile = to_unit(prepare(lines, 32))
    assert np.abs(tile[2:-2, 2:-2] - 0.5).max() < 0.02


def test_a_bright_spot_lands_where_it_was() -> None:
    pixels = np.zeros((1000, 1000), np.float32)
    pixels[300:320, 700:720] = 1.0
    tile = prepare(pixels, 100)
    assert np.unravel_index(tile.argmax(), tile.shape) in [(r, c) for r in (30, 31) for c in (70, 71)]


def test_brightness_is_kept_when_shrinking() -> None:
    pixels = np.random.default_rng(0).random((901, 901)).astype(np.float32)
    assert to_unit(prepare(pixels, 50)).mean() == pytest.approx(pixels.mean(), abs=2e-3)


def test_enlarging_is_smooth() -> None:
    pixels = np.zeros((2, 2), np.float32)
    pixels[:, 1] = 1.0
    row = to_unit(prepare(pixels, 16))[8]
    steps = np.diff(row)
    assert (steps >= 0).all() and steps.max() < 0.2 and row[0] == 0.0 and row[-1] == 1.0


def test_the_ends_of_the_range_are_exact() -> None:
    assert to_unit(np.array([0, 65535], np.uint16)).tolist() == [0.0, 1.0]
    assert to_unit(np.zeros((2, 3, 4), np.uint16)).dtype == np.float32


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(1, 300), columns=st.integers(1, 300), size=st.integers(1, 130), seed=st.integers(0, 9)
)
def test_any_shape_gives_a_tile_within_the_range_of_the_image(
    rows: int, columns: int, size: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).uniform(0.3, 0.7, (rows, columns)).astype(np.float32)
    tile = prepare(pixels, size)
    assert tile.shape == (size, size)
    used = to_unit(tile[tile > 0])
    assert used.size > 0
    assert used.min() >= pixels.min() - 1e-4 and used.max() <= pixels.max() + 1e-4
    assert np.array_equal(tile, prepare(pixels.copy(), size))


def test_a_tile_survives_the_way_to_unit_and_back() -> None:
    every = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(np.rint(to_unit(every) * 65535).astype(np.uint16), every)


def test_the_digest_names_the_pixels() -> None:
    pixels = np.random.default_rng(0).random((8, 6)).astype(np.float32)
    digest = pixel_digest(pixels)
    assert digest.startswith("sha256:") and len(digest) == 71
    assert digest == pixel_digest(np.asfortranarray(pixels)) == pixel_digest(pixels.astype(">f4"))
    changed = pixels.copy()
    changed[7, 5] += 1 / 65535
    assert (
        len({digest, pixel_digest(changed), pixel_digest(pixels.reshape(6, 8)), pixel_digest(pixels[::-1])})
        == 4
    )


def test_the_digest_stays_the_same_over_releases() -> None:
    # Stored in manifests: it must never change for the same pixels.
    pixels = np.array([[0.0, 1.0], [0.2, 0.6]], np.float32)
    steps = bytes.fromhex("0000 ffff 3333 9999")
    assert pixel_digest(pixels) == "sha256:" + hashlib.sha256(b"(2, 2)" + steps).hexdigest()


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(1, 900),
    columns=st.integers(1, 900),
    size=st.integers(1, 130),
    depth=st.sampled_from(["u1", "u2"]),
)
def test_the_short_way_gives_the_same_bits(
    write_dicom: Callable[..., bytes], rows: int, columns: int, size: int, depth: str
) -> None:
    cells = np.random.default_rng(rows).integers(0, 256, (rows, columns)).astype(depth)
    file = write_dicom(cells, BitsStored=8, HighBit=7, Manufacturer="Acme", PatientID="p")
    whole, short = read_radiograph(file), read_prepared(file, size)
    assert np.array_equal(short.tile, prepare(whole.pixels, size))
    assert short.pixel_digest == pixel_digest(whole.pixels)
    assert (short.attributes, short.identity) == (whole.attributes, whole.identity)


def test_the_short_way_refuses_alike() -> None:
    with pytest.raises(Refused) as refusal:
        read_prepared(b"", 64)
    assert refusal.value.reason == "empty-file"
