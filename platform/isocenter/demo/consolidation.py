"""Pneumonia: patches of lung where fluid replaced air."""

from collections import deque

import numpy as np

from isocenter.demo.branching import tree
from isocenter.demo.plane import Image, Plane, ellipse, inside
from isocenter.demo.soft_tissue import Lung
from isocenter.demo.texture import fractal_texture

# Cubic centimetres of lost air below which a reader could overlook it.
_LEAST_VISIBLE = 180.0


def consolidation(random: np.random.Generator, plane: Plane, lungs: tuple[Lung, Lung], air: Image) -> Image:
    """Share of the lung's air that is replaced, [H, W] in 0..1.

    Three patterns: one larger opacity in a lobe, several small patches in one or both lungs, or a wide haze.

    Args:
        random: source of pattern, place, extent and density.
        plane: where it is drawn.
        lungs: the right and the left one.
        air: [H, W]: centimetres of air along the beam; where there is little, disease could not be seen.
    """
    pattern = random.choice(("lobar", "patchy", "hazy"), p=(0.5, 0.35, 0.15))
    clouds = fractal_texture(random, plane.shape, plane.spacing, exponent=2.6, largest=5.0)
    fluff = fractal_texture(random, plane.shape, plane.spacing, exponent=1.9, largest=1.0)
    fill = np.zeros(plane.shape, np.float32)
    places = deque(_chosen_lungs(random, lungs, pattern))
    while places:
        lung = places.popleft()
        centre = _visible_place(random, plane, lung, air)
        fill = np.maximum(fill, _opacity(random, plane, lung, centre, pattern, clouds))
        if not places and float((fill * air).sum()) * plane.spacing**2 < _LEAST_VISIBLE:
            places.append(lung)
    fill *= np.clip(0.9 + 0.10 * fluff, 0.4, 1.2)
    return np.asarray(np.clip(fill - _air_bronchogram(random, plane, fill), 0, 0.97), dtype=np.float32)


def _chosen_lungs(random: np.random.Generator, lungs: tuple[Lung, Lung], pattern: str) -> tuple[Lung, ...]:
    """The lung of each opacity to draw."""
    both = random.random() < (0.15 if pattern == "lobar" else 0.5)
    chosen = lungs if both else (lungs[int(random.integers(2))],)
    return chosen * (int(random.integers(2, 4)) if pattern == "patchy" else 1)


def _visible_place(random: np.random.Generator, plane: Plane, lung: Lung, air: Image) -> tuple[float, float]:
    """A point in ``lung`` with a good deal of air along the beam."""
    while True:
        x, y = lung.side * random.uniform(3.5, 11.5), random.uniform(-10.0, 9.0)
        row, column = plane.pixel(x, y)
        rows, columns = plane.shape
        if 0 <= row < rows and 0 <= column < columns and air[row, column] > 8.0:
            return x, y


def _opacity(
    random: np.random.Generator,
    plane: Plane,
    lung: Lung,
    centre: tuple[float, float],
    pattern: str,
    clouds: Image,
) -> Image:
    """One opacity with a cloudy border; a lobar one may end sharply at a fissure."""
    size = {"lobar": (3.9, 5.8), "patchy": (2.1, 3.1), "hazy": (5.0, 7.0)}[pattern]
    strength = {"lobar": (0.48, 0.88), "patchy": (0.48, 0.82), "hazy": (0.30, 0.45)}[pattern]
    radii = random.uniform(*size), random.uniform(*size)
    shape = ellipse(plane, centre, radii, random.uniform(-40, 40))
    border = inside(0.75 - shape + 0.55 * clouds, 0.45)
    if pattern == "lobar" and random.random() < 0.4:
        below = 1 if random.random() < 0.6 else -1
        fissure = centre[1] - below * 0.35 * radii[1] + 0.06 * plane.x * lung.side
        border = border * inside(below * (plane.y - fissure), 0.12)
    return np.asarray(border * random.uniform(*strength) * lung.mask, dtype=np.float32)


def _air_bronchogram(random: np.random.Generator, plane: Plane, fill: Image) -> Image:
    """Bronchi that kept their air, seen dark where the lung around them did not."""
    if random.random() < 0.35:
        return np.zeros(plane.shape, np.float32)
    rows, columns = np.nonzero(fill > 0.7 * fill.max())
    chosen = int(random.integers(rows.size))
    x, y = float(plane.x[rows[chosen], columns[chosen]]), float(plane.y[rows[chosen], columns[chosen]])
    outward = 0.9 if x > 0 else np.pi - 0.9
    start = x * 0.7, y - 1.5
    air = tree(
        random, plane, root=start, directions=(outward, outward - 0.6), length=2.2, radius=0.16, generations=4
    )
    return np.asarray(np.minimum(air * 2.2, 0.5) * fill, dtype=np.float32)
