"""The pixels of one planned image."""

import numpy as np

from isocenter.demo.anatomy import draw_anatomy, draw_pose
from isocenter.demo.exposure import burn_in_side_marker, develop
from isocenter.demo.plane import Image, make_plane
from isocenter.demo.roster import PlannedImage
from isocenter.demo.thorax import Chance, attenuation


def expose(planned: PlannedImage, *, seed: int, size: int) -> tuple[Image, float]:
    """Make the picture of ``planned``.

    Args:
        planned: what to make.
        seed: of the whole set.
        size: pixels along the longer side of the best system's image of an adult.

    Returns:
        float32 [H, W] in 0..1, bone white, and the distance between pixels in millimetres.
    """
    patient, scanner = planned.patient, planned.scanner
    key = (seed, patient.number)
    chance = Chance(
        np.random.default_rng((*key, 1)),
        np.random.default_rng((*key, 2, planned.study)),
        np.random.default_rng((*key, 3, planned.study, planned.number)),
    )
    anatomy = draw_anatomy(chance.patient, sex=patient.sex, age_years=patient.age_years)
    pose = draw_pose(chance.image, planned.view)
    width, height = scanner.field
    pixels = max(32.0, size * scanner.resolution * max(0.6, min(anatomy.scale, 1)))
    spacing = max(width, height) * pose.field / pixels
    rows, columns = round(pixels * height / max(scanner.field)), round(pixels * width / max(scanner.field))
    plane = make_plane(rows, columns, spacing, tilt_degrees=pose.tilt, shift=pose.shift)
    picture = develop(
        chance.image,
        attenuation(chance, plane, anatomy, pose, pneumonia=planned.pneumonia),
        spacing,
        noise=scanner.noise,
        blur_cm=scanner.blur_cm,
        enhancement=scanner.enhancement,
    )
    burn_in_side_marker(picture, spacing)
    return picture, 10 * spacing * anatomy.scale
