"""Trees of tubes: lung vessels, and the air-filled bronchi that show inside a consolidation."""

from dataclasses import dataclass

import numpy as np

from isocenter.demo.plane import Image, Plane, add_tube


@dataclass(frozen=True)
class _Branch:
    x: float
    y: float
    direction: float
    length: float
    radius: float
    generation: int


def tree(
    random: np.random.Generator,
    plane: Plane,
    *,
    root: tuple[float, float],
    directions: tuple[float, ...],
    length: float,
    radius: float,
    generations: int,
) -> Image:
    """Depth in centimetres of a tree of tubes.

    Args:
        random: source of its shape.
        plane: where it is drawn.
        root: its beginning, cm.
        directions: radians of the first branches, 0 towards the patient's left, pi/2 towards the feet.
        length: of a first branch, cm.
        radius: of a first branch, cm.
        generations: how often branches divide.
    """
    image = np.zeros(plane.shape, np.float32)
    branches = [_Branch(*root, angle, length * random.uniform(0.8, 1.2), radius, 0) for angle in directions]
    while branches:
        branch = branches.pop()
        end = _draw(random, image, plane, branch)
        if branch.generation + 1 < generations:
            branches += [_child(random, branch, end, turn) for turn in (-0.42, 0.42)]
    return image


def _draw(random: np.random.Generator, image: Image, plane: Plane, branch: _Branch) -> tuple[float, float]:
    """A slightly bent line; returns where it ends."""
    x, y, direction = branch.x, branch.y, branch.direction
    pieces = 2 if branch.generation < 2 else 1
    for _ in range(pieces):
        direction += random.normal(0, 0.12)
        end = x + np.cos(direction) * branch.length / pieces, y + np.sin(direction) * branch.length / pieces
        add_tube(image, plane, (x, y), end, max(branch.radius, plane.spacing), 2 * branch.radius)
        x, y = end
    return x, y


def _child(random: np.random.Generator, parent: _Branch, end: tuple[float, float], turn: float) -> _Branch:
    return _Branch(
        *end,
        direction=parent.direction + turn * random.uniform(0.5, 1.5),
        length=parent.length * random.uniform(0.68, 0.92),
        radius=parent.radius * random.uniform(0.66, 0.78),
        generation=parent.generation + 1,
    )
