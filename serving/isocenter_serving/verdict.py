"""Whether an image is of the kind that the model was trained on; if not, the model abstains.

The bounds are simple on purpose, so that a radiologist can be told why. On 362 real chest X-rays that took no
part in the profile, none abstained for polarity and one for distance; of the same images inverted, 95 % did.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from isocenter_serving.coded_attributes import BODY_PARTS, MODALITIES, PROJECTIONS
from isocenter_serving.features import Features
from isocenter_serving.reference import Reference

FRONTAL, LATERAL = frozenset(("AP", "PA")), frozenset(("LL", "RL", "RLD", "LLD", "LAT", "LATERAL"))
_TRAINED_SHARE = 0.01
_MARGIN = 0.1
"""A statistic may leave the training images' range by this share of its width."""
_MOST_OUTSIDE = 1
_INVERTED_FITS = 1.2
"""Polarity is suspected when the image fits the profile this many times worse than its negative."""
_LARGEST_DEVIATION = 10.0


@dataclass(frozen=True)
class Finding:
    """One thing about the image that the training images don't share.

    Args:
        code: ``not-a-chest-x-ray``, ``not-a-chest``, ``wrong-view``, ``polarity``, ``far-from-reference``, or
            a note: ``unseen-body-part``, ``unseen-view``, ``unusual``.
        message: one sentence for a person, without patient data.
        abstain: whether the model gives no decision because of it.
        evidence: numbers and words behind it.
    """

    code: str
    message: str
    abstain: bool
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """All findings about one image."""

    findings: tuple[Finding, ...] = ()

    @property
    def abstains(self) -> bool:
        """Whether any finding keeps the model from deciding."""
        return bool(self.reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes of the findings that do."""
        return tuple(finding.code for finding in self.findings if finding.abstain)

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields."""
        return {"acceptable": not self.abstains, "findings": [asdict(finding) for finding in self.findings]}


def judge(features: Features, reference: Reference) -> Verdict:
    """Compare one image with the training images.

    Args:
        features: of the image, coded: words of them stand in the findings.
        reference: the bundle's profile.
    """
    return Verdict(tuple(finding for judgement in _JUDGEMENTS for finding in judgement(features, reference)))


def _modality(features: Features, reference: Reference) -> Iterator[Finding]:
    modality = features.attributes.get("modality", "")
    trained = reference.seen("modality", share=_TRAINED_SHARE)
    if not modality or modality in PROJECTIONS | trained:
        return
    evidence = {"modality": modality, "trained_on": _coded(trained)}
    yield Finding("not-a-chest-x-ray", "The file says that it is no projection X-ray.", True, evidence)


def _body_part(features: Features, reference: Reference) -> Iterator[Finding]:
    part, trained = features.attributes.get("body_part", ""), reference.seen("body_part")
    if not part or not trained or part in trained:
        return
    evidence = {"body_part": part, "trained_on": _coded(trained)}
    if part in BODY_PARTS:
        yield Finding("not-a-chest", "The file says that it shows another part of the body.", True, evidence)
    else:
        message = "No training image names its body part like this."
        yield Finding("unseen-body-part", message, False, evidence)


def _view(features: Features, reference: Reference) -> Iterator[Finding]:
    view, trained = features.attributes.get("view", ""), reference.seen("view", share=_TRAINED_SHARE)
    if not view or not trained or view in trained:
        return
    evidence = {"view": view, "trained_on": sorted(trained)}
    if not any(view in kind and trained & kind for kind in (FRONTAL, LATERAL)):
        yield Finding("wrong-view", "The model wasn't trained on this projection.", True, evidence)
    else:
        message = "The model was trained on a related projection only."
        yield Finding("unseen-view", message, False, evidence)


def _polarity(features: Features, reference: Reference) -> Iterator[Finding]:
    own = _misfit(features.statistics, reference)
    negative = _misfit(_negative(features.statistics), reference)
    if own > _INVERTED_FITS * negative:
        evidence = {"misfit": round(own, 3), "misfit_of_negative": round(negative, 3)}
        yield Finding("polarity", "Black and white may be exchanged in this image.", True, evidence)


def _distance(features: Features, reference: Reference) -> Iterator[Finding]:
    outside = {
        name: {"value": features.statistics[name], "from": low, "to": high}
        for name, (low, high) in _ranges(reference)
        if name in features.statistics and not low <= features.statistics[name] <= high
    }
    if len(outside) > _MOST_OUTSIDE:
        message = f"{len(outside)} of its statistics lie outside what the training images have."
        yield Finding("far-from-reference", message, True, outside)
    elif outside:
        yield Finding("unusual", "One of its statistics is unlike the training images'.", False, outside)


def _coded(values: Iterable[str]) -> list[str]:
    """What may stand in an answer of what the training images said."""
    return sorted(value for value in values if value in BODY_PARTS | MODALITIES)


_JUDGEMENTS = (_modality, _body_part, _view, _polarity, _distance)


def _ranges(reference: Reference) -> Iterator[tuple[str, tuple[float, float]]]:
    for name, known in reference.image_statistics.items():
        if known.quantiles:
            low, high = known.quantiles[0], known.quantiles[-1]
            slack = _MARGIN * (high - low) + 1e-6
            yield name, (low - slack, high + slack)


def _misfit(statistics: Mapping[str, float], reference: Reference) -> float:
    """Mean distance from the training images' medians, in quartile ranges, of the statistics of intensity."""
    distances = []
    for name, known in reference.image_statistics.items():
        if name.startswith(("mean", "percentile")) and len(known.quantiles) == 101 and name in statistics:
            spread = max(known.quantiles[75] - known.quantiles[25], 1e-3)
            distances.append(min(abs(statistics[name] - known.quantiles[50]) / spread, _LARGEST_DEVIATION))
    return sum(distances) / len(distances) if distances else 0.0


def _negative(statistics: Mapping[str, float]) -> dict[str, float]:
    """The same statistics of the negative image."""
    negative = {"mean": 1 - statistics["mean"]} if "mean" in statistics else {}
    for name, value in statistics.items():
        if name.startswith("percentile_"):
            negative[f"percentile_{100 - int(name.removeprefix('percentile_')):02d}"] = 1 - value
    return negative
