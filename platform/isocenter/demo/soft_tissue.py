"""Body outline, lungs, heart, mediastinum and airways as path lengths in centimetres."""

from dataclasses import dataclass

import numpy as np

from isocenter.demo.anatomy import Anatomy, Pose
from isocenter.demo.plane import Image, Plane, chord, ellipse, inside

_DEPTH = 21.0
_LUNG_DEPTH = 15.0
_APEX_X = 5.6


@dataclass(frozen=True)
class Lung:
    """One lung in the projection.

    Attributes:
        side: -1 for the patient's right lung (on the viewer's left), 1 for the left.
        mask: [H, W]: 1 inside, soft at the edge.
        depth: [H, W]: centimetres of lung along the beam, 0 outside.
        height: [H, W]: 0 at the apex, 1 at the dome.
    """

    side: int
    mask: Image
    depth: Image
    height: Image


def body_depth(plane: Plane, anatomy: Anatomy) -> Image:
    """Centimetres of body along the beam, lungs not taken out."""
    torso = anatomy.cage + anatomy.wall
    shoulders = inside(-6.5 - plane.y, 3.0) * 8.0
    width = torso + shoulders + np.maximum(plane.y - 8, 0) * 0.06
    across = np.abs(plane.x) / width
    side = np.maximum(0, 1 - across * across * across * across) ** np.float32(0.5)
    return np.asarray(_DEPTH * side * _above_shoulders(plane, anatomy), dtype=np.float32)


def _above_shoulders(plane: Plane, anatomy: Anatomy) -> Image:
    """The share of the depth that is left at the height of shoulders and neck."""
    outward = np.maximum(np.abs(plane.x) - 4.6, 0)
    line = anatomy.apex - 3.4 - 2.2 / (0.5 + outward) + 0.30 * outward
    shoulder = np.clip((plane.y - line) / 6.5, 0, 1) ** np.float32(0.45)
    return np.asarray(shoulder * (0.80 + 0.20 * inside(plane.y + 8, 3.0)), dtype=np.float32)


def breast_depth(plane: Plane, anatomy: Anatomy) -> Image:
    """Centimetres that the breasts add: soft above, with a faint lower border over the lung bases."""
    total = np.zeros(plane.shape, np.float32)
    if not anatomy.breast:
        return total
    for side in (-1, 1):
        shape = ellipse(plane, (side * 8.6, 5.5), (anatomy.breast, anatomy.breast * 0.95))
        total += 2.4 * chord(shape) * inside(plane.y - 1.5, 2.5)
    return total


def lung(plane: Plane, anatomy: Anatomy, pose: Pose, side: int) -> Lung:
    """The lung on ``side``."""
    across = plane.x * side
    dome = anatomy.dome - pose.inspiration + (1.1 if side > 0 else 0.0)
    height = np.clip((plane.y - anatomy.apex) / (dome - anatomy.apex), 0, 1.25)
    spread = np.maximum(0, 1 - np.maximum(0, 1 - height) ** np.float32(2.3)) ** np.float32(0.58)
    lateral = _APEX_X + (anatomy.cage - _APEX_X) * spread
    medial = _APEX_X - (_APEX_X - 1.3) * spread
    mask = inside(lateral - across, 0.14) * inside(across - medial, 0.3) * inside(plane.y - anatomy.apex, 0.3)
    centre = (anatomy.cage + 1.5) / 2
    off_centre = (across - centre) / (anatomy.cage - centre)
    depth = np.maximum(0, 1 - off_centre * off_centre) ** np.float32(0.32)
    depth *= np.clip(0.25 + 1.5 * height, 0, 1) * _LUNG_DEPTH
    base = _base(plane, anatomy, across, dome)
    return Lung(side, mask * base, depth * mask * base, height)


def _base(plane: Plane, anatomy: Anatomy, across: Image, dome: float) -> Image:
    """1 above the diaphragm; the recess behind it shines through for a few centimetres."""
    off = (across - 6.4) / (anatomy.cage - 6.4)
    fall = np.where(off > 0, 4.6 * off * off * np.abs(off), 1.9 * off * off)
    above = dome + fall - plane.y
    return np.asarray(0.86 * inside(above, 0.16) + 0.14 * inside(above + 2.2, 1.6), dtype=np.float32)


def heart_depth(plane: Plane, anatomy: Anatomy, pose: Pose) -> Image:
    """Centimetres of heart and great vessels along the beam."""
    size = anatomy.heart * pose.magnification
    low, turn = anatomy.dome - pose.inspiration, pose.rotation
    ventricle = ellipse(plane, (0.36 * size + turn, low - 3.4), (size * 1.04, size * 0.72), 33)
    atrium = ellipse(plane, (-0.22 * size + turn, low - 4.0), (size * 0.52, size * 0.74), -8)
    outflow = ellipse(plane, (0.28 * size + turn, low - 9.0), (2.4, 3.4), -14)
    knob = ellipse(plane, (2.1 + 0.5 * turn, -4.6), (1.75, 1.9))
    parts = 11 * chord(ventricle), 9 * chord(atrium), 7 * chord(outflow), 6 * chord(knob)
    return np.asarray(np.maximum.reduce(parts), dtype=np.float32)


def mediastinum_depth(plane: Plane, anatomy: Anatomy, pose: Pose) -> Image:
    """Centimetres of vessels, oesophagus and fat in the midline."""
    bend = anatomy.scoliosis * np.sin(plane.y * 0.14) + pose.rotation * 0.4
    width = anatomy.mediastinum * (1.0 - 0.10 * inside(-plane.y - 9, 2.0))
    across = (plane.x - bend) / width
    return np.asarray(11 * chord(across * across), dtype=np.float32)


def airway_depth(plane: Plane, pose: Pose) -> Image:
    """Centimetres of air in the trachea and the two main bronchi."""
    x = plane.x - pose.rotation * 0.3
    above = inside(-2.6 - plane.y, 0.5)
    trachea = chord((x / 0.95) ** 2) * above
    air = 1.5 * trachea
    for side, slope in ((-1, 0.55), (1, 0.95)):
        run = plane.y + 2.9
        away = (x * side - slope * run) / np.float32(np.hypot(1, slope))
        air += 1.0 * chord((away / 0.62) ** 2) * inside(run, 0.3) * inside(4.2 - run, 0.7)
    return np.asarray(air, dtype=np.float32)


def gas_depth(plane: Plane, anatomy: Anatomy, pose: Pose, amount: float) -> Image:
    """Centimetres of gas under the left diaphragm (stomach bubble)."""
    low = anatomy.dome - pose.inspiration + 3.6
    return np.asarray(7 * amount * chord(ellipse(plane, (6.2, low), (3.0, 1.6), -8)), dtype=np.float32)
