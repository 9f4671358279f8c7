"""What differs from patient to patient and from exposure to exposure; lengths in centimetres."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Anatomy:
    """One patient's thorax. Lengths are those of an adult and are multiplied by ``scale``.

    Attributes:
        scale: size against an adult of average height.
        cage: half the inner width of the rib cage at its widest.
        apex: y of the lung apices.
        dome: y of the right diaphragm dome at full inspiration; the left one is lower.
        wall: thickness of the chest wall at the side.
        heart: half the transverse width of the heart.
        mediastinum: half the width of the upper mediastinum.
        rib_distance: from rib to rib along the spine.
        rib_radius: half the height of a rib.
        rib_drop: how far a rib's front end lies below its lateral end.
        bone: density of bone against a healthy adult's.
        scoliosis: sideways bend of the spine.
        breast: radius of the breasts' shadows; 0 for none.
        vessels: prominence of the lung vessels, 1 on average.
    """

    scale: float
    cage: float
    apex: float
    dome: float
    wall: float
    heart: float
    mediastinum: float
    rib_distance: float
    rib_radius: float
    rib_drop: float
    bone: float
    scoliosis: float
    breast: float
    vessels: float


@dataclass(frozen=True)
class Pose:
    """How the patient stood or lay for one exposure.

    Attributes:
        view: PA (standing, tube behind) or AP (often lying, tube in front).
        tilt: degrees in the image plane.
        rotation: centimetres that structures in front are moved sideways against those behind.
        shift: the image's centre against the thorax's, in centimetres.
        inspiration: centimetres that the diaphragm is above its deepest stand.
        field: width that the detector or collimator shows, against the thorax's.
    """

    view: str
    tilt: float
    rotation: float
    shift: tuple[float, float]
    inspiration: float
    field: float

    @property
    def magnification(self) -> float:
        """Of the heart and other structures in front: larger where the tube is in front."""
        return 1.13 if self.view == "AP" else 1.0


def draw_anatomy(random: np.random.Generator, *, sex: str, age_years: int) -> Anatomy:
    """A thorax of someone of this sex and age."""
    male = sex == "M"
    growth = float(np.interp(age_years, (0, 2, 6, 12, 18), (0.45, 0.56, 0.68, 0.84, 1.0)))
    grown_woman = not male and age_years > 14
    return Anatomy(
        scale=growth * random.normal(1.02 if male else 0.95, 0.03),
        cage=random.normal(13.4, 0.55),
        apex=random.normal(-13.2, 0.5),
        dome=random.normal(9.8, 0.8),
        wall=max(1.6, random.normal(2.6, 0.7)),
        heart=max(4.8, random.normal(6.0, 0.6) + max(0, age_years - 50) * 0.012),
        mediastinum=random.normal(2.7, 0.3),
        rib_distance=random.normal(2.5, 0.1),
        rib_radius=random.normal(0.68, 0.06),
        rib_drop=random.normal(5.2, 0.6),
        bone=max(0.5, random.normal(1.0, 0.1) - max(0, age_years - 55) * 0.008),
        scoliosis=random.normal(0, 0.5),
        breast=max(0.0, random.normal(5.2, 1.2)) if grown_woman else 0.0,
        vessels=float(np.exp(random.normal(0, 0.16))),
    )


def draw_pose(random: np.random.Generator, view: str) -> Pose:
    """A position for one exposure; AP exposures are less well positioned and less deeply inspired."""
    lying = view == "AP"
    return Pose(
        view=view,
        tilt=random.normal(0, 2.2 if lying else 1.2),
        rotation=random.normal(0, 0.9 if lying else 0.45),
        shift=(random.normal(0, 0.7), random.normal(0, 0.7)),
        inspiration=abs(random.normal(1.6 if lying else 0.3, 0.7)),
        field=random.normal(1.0, 0.03),
    )
