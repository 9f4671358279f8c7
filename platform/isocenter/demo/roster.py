"""Who is in the set: invented patients, their studies and images, and what each image shows."""

import datetime
import hashlib
from dataclasses import dataclass

import numpy as np

from isocenter.demo.scanner import SCANNERS, Scanner

CANARY = "CANARY"
_SURNAMES = (
    "Okafor",
    "Lindqvist",
    "Müller",
    "Nakamura",
    "Østergård",
    "Ferreira",
    "Novák",
    "Haddad",
    "Quinn",
    "Zoë",
)
_GIVEN = {"F": ("Ada", "Ingrid", "Mei", "Noor", "Renée"), "M": ("Björn", "Carlos", "Emeka", "Ivan", "Tom")}
_FIRST_DAY = datetime.date(2021, 1, 4)


@dataclass(frozen=True)
class PlannedPatient:
    """An invented person; each identifier holds the word CANARY, so that a search shows what got out."""

    number: int
    patient_id: str
    name: str
    sex: str
    age_years: int
    birth_date: datetime.date


@dataclass(frozen=True)
class PlannedImage:
    """One image to be made.

    Attributes:
        patient: whose.
        study: number of the study, from 0, within the patient.
        number: number of the image, from 0, within the study.
        pneumonia: whether the study shows consolidations.
        scanner: what made it.
        view: PA or AP.
        taken: date of the study.
    """

    patient: PlannedPatient
    study: int
    number: int
    pneumonia: bool
    scanner: Scanner
    view: str
    taken: datetime.date


def plan_patient(seed: int, number: int) -> tuple[PlannedImage, ...]:
    """The images of patient ``number``; they don't depend on how many patients there are.

    Every other patient has pneumonia, and some of these have a later study in which it has gone. The system
    is chosen without regard to disease, so that neither it nor the view gives the label away.
    """
    random = np.random.default_rng((seed, number, 0))
    patient = _person(random, seed, number)
    ill = (number + seed) % 2 == 1
    images = int(random.choice((1, 2, 3), p=(0.45, 0.35, 0.20)))
    studies = sorted(int(random.random() < 0.6) for _ in range(images))
    studies = [study - studies[0] for study in studies]
    recovered = random.random() < 0.3
    first = _FIRST_DAY + datetime.timedelta(days=int(random.integers(0, 1000)))
    equipment = [SCANNERS[int(random.integers(len(SCANNERS)))] for _ in range(2)]
    later = datetime.timedelta(days=int(random.integers(20, 90)))
    return tuple(
        PlannedImage(
            patient=patient,
            study=study,
            number=studies[:position].count(study),
            pneumonia=ill and not (study == 1 and recovered),
            scanner=equipment[study],
            view=_view(random, equipment[study]),
            taken=first + study * later,
        )
        for position, study in enumerate(studies)
    )


def _person(random: np.random.Generator, seed: int, number: int) -> PlannedPatient:
    sex = "F" if random.random() < 0.5 else "M"
    young = random.random() < 0.15
    age = int(random.integers(1, 18)) if young else int(np.clip(random.normal(54, 19), 18, 89))
    born = _FIRST_DAY.year - age - 1, int(random.integers(1, 13)), int(random.integers(1, 29))
    name = f"{CANARY} {random.choice(_SURNAMES)}^{random.choice(_GIVEN[sex])}"
    token = hashlib.sha256(f"{seed}/{number}".encode()).hexdigest()[:8]
    return PlannedPatient(number, f"{CANARY}-{token}", name, sex, age, datetime.date(*born))


def _view(random: np.random.Generator, scanner: Scanner) -> str:
    return "AP" if scanner.portable or random.random() < 0.12 else "PA"
