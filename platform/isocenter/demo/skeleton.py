"""Ribs, clavicles, shoulder blades and spine as bone density along the beam."""

import numpy as np

from isocenter.demo.anatomy import Anatomy, Pose
from isocenter.demo.plane import Image, Plane, chord, ellipse, inside

_RIBS = 11


def skeleton(plane: Plane, anatomy: Anatomy, pose: Pose) -> Image:
    """Bone density along the beam, [H, W]; about 1 through a rib's edge."""
    total = np.zeros(plane.shape, np.float32)
    for number in range(_RIBS):
        _add_rib(total, plane, anatomy, pose, number)
    total += clavicles(plane, anatomy, pose) + shoulder_blades(plane, anatomy, pose)
    total += spine(plane, anatomy, pose)
    return total * np.float32(anatomy.bone)


def _add_rib(total: Image, plane: Plane, anatomy: Anatomy, pose: Pose, number: int) -> None:
    """A pair of ribs: a tilted ring, whose back half is seen above and whose front half is seen below."""
    lateral_y = anatomy.apex + 1.6 + number * anatomy.rib_distance + 2.2 * min(number / 4, 1)
    width = _ring_width(anatomy, number)
    rise, drop = 1.6 + 0.16 * number, anatomy.rib_drop * min(0.55 + 0.12 * number, 1.0)
    window = plane.window(0, lateral_y + (drop - rise) / 2, width + 1.5, (rise + drop) / 2 + 1.5)
    part = plane.crop(window)
    if part.x.size == 0:
        return
    half = 0.86 if number == 0 else 1.0
    back = _ring_half(part, width, lateral_y, -rise, anatomy.rib_radius * half, -pose.rotation * 0.4)
    front = _ring_half(part, width, lateral_y, drop, anatomy.rib_radius * half * 1.15, pose.rotation * 0.6)
    # Rib cartilage is invisible: the front half ends some way from the breastbone; low ribs don't reach it.
    end = 5.0 + 0.55 * max(number - 4, 0)
    front *= inside(np.abs(part.x) - end, 0.7)
    total[window.rows, window.columns] += back + np.float32(0.62 if number < 9 else 0.0) * front


def _ring_width(anatomy: Anatomy, number: int) -> float:
    missing = max(1 - (number + 1.1) / 6.0, 0.0)
    rounding: float = 1 - missing**2.2
    return 4.6 + (anatomy.cage - 4.2) * rounding


def _ring_half(plane: Plane, width: float, y: float, depth: float, radius: float, shift: float) -> Image:
    """The half ring below (``depth`` > 0) or above ``y``: cortex bright, marrow less."""
    x = (plane.x - np.float32(shift)) / np.float32(width)
    down = (plane.y - np.float32(y)) / np.float32(depth)
    ring = np.sqrt(x * x + down * down) + np.float32(1e-4)
    steepness = np.sqrt((x / width) ** 2 + (down / depth) ** 2) / ring
    away = (ring - 1) / (steepness + np.float32(1e-4)) / radius
    outer, inner = away * away, away * away * np.float32(1.7)
    tube = chord(outer) - np.float32(0.62) * chord(inner)
    return np.asarray(tube * inside(down * abs(depth) + 0.15, 0.2), dtype=np.float32)


def clavicles(plane: Plane, anatomy: Anatomy, pose: Pose) -> Image:
    """Both collarbones, moved sideways by rotation; higher where the tube is in front."""
    y_inner = anatomy.apex + (2.4 if pose.view == "PA" else 1.4)
    total = np.zeros(plane.shape, np.float32)
    for side in (-1, 1):
        across = (plane.x - pose.rotation * 0.7) * side
        line = y_inner - 0.16 * across - 0.55 * np.sin(across * 0.42)
        radius = 0.62 + 0.25 * inside(2.6 - across, 0.7)
        away = ((plane.y - line) / radius) ** 2
        ends = inside(across - 1.7, 0.25) * inside(15.5 - across, 0.6)
        total += (1.55 * chord(away) - 0.75 * chord(away * 1.8)) * ends
    return total


def shoulder_blades(plane: Plane, anatomy: Anatomy, pose: Pose) -> Image:
    """Shoulder blades and upper arms; over the lungs where the arms were not turned forward (AP)."""
    x = anatomy.cage + (1.0 if pose.view == "AP" else 3.4)
    total = np.zeros(plane.shape, np.float32)
    for side in (-1, 1):
        blade = ellipse(plane, (side * x, -5.2), (2.9, 7.0), side * 11)
        total += 0.30 * inside(1 - blade, 0.08) + 0.30 * chord(((blade - 0.95) / 0.13) ** 2)
        head = ellipse(plane, (side * (anatomy.cage + 5.6), -10.6), (2.4, 2.5))
        shaft = inside(1.25 - np.abs(plane.x * side - anatomy.cage - 6.4), 0.15) * inside(plane.y + 9.5, 0.6)
        total += 1.2 * np.maximum(chord(head), 0.9 * shaft)
    return total


def spine(plane: Plane, anatomy: Anatomy, pose: Pose) -> Image:
    """Vertebral bodies with their discs, pedicles and spinous processes."""
    bend = anatomy.scoliosis * np.sin(plane.y * 0.14) - pose.rotation * 0.5
    x = plane.x - bend
    phase = (plane.y - anatomy.apex) / anatomy.rib_distance
    place = phase - np.round(phase)
    waist = 1.75 + 0.22 * (2 * place) ** 2 + 0.012 * (plane.y - anatomy.apex)
    body = inside(waist - np.abs(x), 0.12) * (0.55 + 0.45 * inside(0.40 - np.abs(place), 0.05))
    down = place * anatomy.rib_distance
    pedicle = chord(((np.abs(x) - 1.05) / 0.36) ** 2 + ((down + 0.2) / 0.5) ** 2)
    process = chord((x / 0.33) ** 2 + ((down - 0.5) / 0.75) ** 2)
    return np.asarray(0.75 * body + 0.4 * pedicle + 0.45 * process, dtype=np.float32)
