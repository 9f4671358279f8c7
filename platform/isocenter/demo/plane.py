"""The image plane in centimetres, and the few shapes that everything is drawn with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Real = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Window:
    """A rectangle of rows and columns of a plane."""

    rows: slice
    columns: slice


@dataclass(frozen=True)
class Plane:
    """Where each pixel lies in the patient, in centimetres.

    Attributes:
        x: [H, W]; 0 at the midline, positive towards the patient's left (the viewer's right).
        y: [H, W]; 0 a little below the carina, positive towards the feet.
        spacing: centimetres between neighbouring pixels.
    """

    x: Image
    y: Image
    spacing: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.x.shape
        return rows, columns

    def window(self, x: float, y: float, half_width: float, half_height: float) -> Window:
        """Rows and columns within these distances of the point (x, y), with room for a tilt."""
        centre_row, centre_column = self.pixel(x, y)
        high = (half_height + 0.1 * half_width) / self.spacing + 2
        wide = (half_width + 0.1 * half_height) / self.spacing + 2
        return Window(
            _clipped(centre_row - high, centre_row + high, self.shape[0]),
            _clipped(centre_column - wide, centre_column + wide, self.shape[1]),
        )

    def crop(self, window: Window) -> "Plane":
        """The part of the plane in ``window``."""
        part = (window.rows, window.columns)
        return Plane(self.x[part], self.y[part], self.spacing)

    def pixel(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the point (x, y); it may lie outside."""
        # The plane is a rotated grid: two corner steps give the inverse of its rotation.
        step_x = self.x[0, 1] - self.x[0, 0], self.y[0, 1] - self.y[0, 0]
        away_x, away_y = x - self.x[0, 0], y - self.y[0, 0]
        column = (away_x * step_x[0] + away_y * step_x[1]) / self.spacing**2
        row = (away_y * step_x[0] - away_x * step_x[1]) / self.spacing**2
        return int(row), int(column)


def make_plane(
    rows: int, columns: int, spacing: float, *, tilt_degrees: float = 0.0, shift: tuple[float, float] = (0, 0)
) -> Plane:
    """A plane of ``rows`` by ``columns`` pixels centred on ``shift`` and turned by ``tilt_degrees``."""
    angle = np.deg2rad(tilt_degrees)
    across = (np.arange(columns, dtype=np.float32) - (columns - 1) / 2) * np.float32(spacing)
    down = (np.arange(rows, dtype=np.float32) - (rows - 1) / 2)[:, None] * np.float32(spacing)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return Plane(
        x=cosine * across - sine * down + np.float32(shift[0]),
        y=sine * across + cosine * down + np.float32(shift[1]),
        spacing=spacing,
    )


def inside(distance: Real, edge: float) -> Image:
    """1 where ``distance`` is well above 0, 0 well below, with a soft edge ``edge`` centimetres wide."""
    # A rational sigmoid: several times cheaper than exp, and these edges are most of the work.
    scaled = distance / np.float32(edge)
    return np.asarray(np.float32(0.5) + scaled / (2 * np.sqrt(1 + scaled * scaled)), dtype=np.float32)


def chord(radial: Real) -> Image:
    """Path through a unit sphere or tube at ``radial``, the squared distance from its centre."""
    return np.asarray(np.sqrt(np.maximum(0, 1 - radial)), dtype=np.float32)


def ellipse(
    plane: Plane, centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0
) -> Image:
    """Squared radius of each pixel in units of an ellipse: below 1 inside."""
    angle = np.deg2rad(degrees)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y = plane.x - np.float32(centre[0]), plane.y - np.float32(centre[1])
    along, across = (cosine * x + sine * y) / radii[0], (cosine * y - sine * x) / radii[1]
    return np.asarray(along * along + across * across, dtype=np.float32)


def add_tube(
    image: Image,
    plane: Plane,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
    depth: float,
) -> None:
    """Add a solid tube of ``radius`` cm from ``start`` to ``end`` with ``depth`` at its axis."""
    half = abs(end[0] - start[0]) / 2 + radius, abs(end[1] - start[1]) / 2 + radius
    window = plane.window((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, *half)
    part = plane.crop(window)
    if part.x.size == 0:
        return
    run = end[0] - start[0], end[1] - start[1]
    length = max(run[0] ** 2 + run[1] ** 2, 1e-6)
    x, y = part.x - np.float32(start[0]), part.y - np.float32(start[1])
    along = np.clip((x * run[0] + y * run[1]) / length, 0, 1)
    away = (x - along * run[0]) ** 2 + (y - along * run[1]) ** 2
    image[window.rows, window.columns] += np.float32(depth) * chord(away / np.float32(radius**2))


def _clipped(low: float, high: float, size: int) -> slice:
    return slice(min(max(int(low), 0), size), min(max(int(high) + 1, 0), size))
