"""One chest radiograph: anatomy and disease to attenuation along the beam."""

from dataclasses import dataclass

import numpy as np

from isocenter.demo.anatomy import Anatomy, Pose
from isocenter.demo.branching import tree
from isocenter.demo.consolidation import consolidation
from isocenter.demo.plane import Image, Plane, add_tube, chord, ellipse, inside
from isocenter.demo.skeleton import skeleton
from isocenter.demo.soft_tissue import (
    Lung,
    airway_depth,
    body_depth,
    breast_depth,
    gas_depth,
    heart_depth,
    lung,
    mediastinum_depth,
)
from isocenter.demo.texture import fractal_texture

# Attenuation of water at about 70 keV after processing, per cm; bone in units of `skeleton`.
_WATER = 0.05
_BONE = 0.105
_AIR_SHARE = 0.72


@dataclass(frozen=True)
class Chance:
    """Three sources of randomness, so that what stays with a patient or a study does stay.

    Attributes:
        patient: vessels, calcifications.
        study: disease, aeration.
        image: devices, noise.
    """

    patient: np.random.Generator
    study: np.random.Generator
    image: np.random.Generator


def attenuation(chance: Chance, plane: Plane, anatomy: Anatomy, pose: Pose, *, pneumonia: bool) -> Image:
    """Attenuation along the beam, [H, W]: 0 beside the patient, about 0.5 in a lung, above 1 in the middle.

    Args:
        chance: source of everything that is not in ``anatomy`` or ``pose``.
        plane: pixels in centimetres of an average adult.
        anatomy: the patient.
        pose: the exposure.
        pneumonia: whether there are consolidations.
    """
    lungs = lung(plane, anatomy, pose, -1), lung(plane, anatomy, pose, 1)
    air = lungs[0].depth + lungs[1].depth
    heart = np.maximum(heart_depth(plane, anatomy, pose), mediastinum_depth(plane, anatomy, pose))
    air *= 1 - np.minimum(heart / 12.0, 0.93)
    air *= 1 - _vague_density(chance.study, plane, lungs)
    if pneumonia:
        air *= 1 - consolidation(chance.study, plane, lungs, air)
    water = body_depth(plane, anatomy) + breast_depth(plane, anatomy) - _AIR_SHARE * air
    water += anatomy.vessels * _vessels(chance.patient, plane, pose) * np.minimum(air / 6, 1)
    water -= airway_depth(plane, pose) + gas_depth(plane, anatomy, pose, chance.image.uniform(0, 1))
    body = water > 0.2
    total = _WATER * np.maximum(water, 0) + _BONE * skeleton(plane, anatomy, pose) * body
    _add_calcification(chance.patient, total, plane)
    _add_devices(chance.image, total, plane, pose)
    return np.asarray(total, dtype=np.float32)


def _vague_density(random: np.random.Generator, plane: Plane, lungs: tuple[Lung, Lung]) -> Image:
    """What makes a healthy lung uneven: texture, crowded bases, now and then a small scar."""
    texture = fractal_texture(random, plane.shape, plane.spacing, exponent=1.4, largest=2.5)
    share = 0.035 * texture
    haze = random.uniform(0, 0.22)
    for each in lungs:
        share += haze * random.uniform(0.6, 1.4) * inside(each.height - 0.9, 0.14) * each.mask
    if random.random() < 0.25:
        side = 1 if random.random() < 0.5 else -1
        scar = ellipse(plane, (side * random.uniform(5, 9), random.uniform(3, 8)), (2.2, 0.16), side * 12)
        share += 0.30 * chord(scar)
    return np.asarray(np.clip(share, -0.1, 0.6), dtype=np.float32)


def _vessels(random: np.random.Generator, plane: Plane, pose: Pose) -> Image:
    """The pulmonary vessels: two trees from the hila, thicker towards the bases."""
    depth = np.zeros(plane.shape, np.float32)
    for side, hilum in ((-1, (-2.9, 0.2)), (1, (3.1, -0.7))):
        angles = (-1.25, -0.55, 0.15, 0.75, 1.2, 1.5)
        directions = tuple(angle if side > 0 else np.pi - angle for angle in angles)
        root = hilum[0] + pose.rotation * 0.3, hilum[1]
        depth += tree(random, plane, root=root, directions=directions, length=3.4, radius=0.40, generations=5)
        depth += 1.2 * chord(ellipse(plane, root, (1.3, 2.1), side * -14))
    return np.minimum(depth, 1.7)


def _add_calcification(random: np.random.Generator, total: Image, plane: Plane) -> None:
    for _ in range(int(random.poisson(0.3))):
        x, y = random.choice((-1, 1)) * random.uniform(3, 10), random.uniform(-8, 7)
        add_tube(total, plane, (x, y), (x + 0.05, y), random.uniform(0.12, 0.3), 0.12)


def _add_devices(random: np.random.Generator, total: Image, plane: Plane, pose: Pose) -> None:
    """Electrodes and leads on some who were imaged lying."""
    if pose.view != "AP" or random.random() < 0.5:
        return
    for x, y in ((-8.5, -8.5), (9.0, -8.0), (9.5, 6.5))[: int(random.integers(1, 4))]:
        x, y = x + random.normal(0, 1), y + random.normal(0, 1)
        add_tube(total, plane, (x, y), (x, y + 0.05), 0.55, 0.12)
        bend = x + random.normal(0, 2), y + random.uniform(3, 6)
        add_tube(total, plane, (x, y), bend, 0.09, 0.14)
        add_tube(total, plane, bend, (bend[0] + random.normal(0, 3), 20), 0.09, 0.14)
