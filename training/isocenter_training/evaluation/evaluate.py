"""The evaluation of one training output on one DatasetVersion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isocenter.domain.dataset import Split
from isocenter.domain.evaluation import Decision, Estimate, EvaluationReport, MetricName, SliceReport
from isocenter.errors import InputError
from isocenter_training.evaluation.bootstrap import draw_patients, intervals
from isocenter_training.evaluation.calibration import fit_temperature
from isocenter_training.evaluation.metrics import Sample, point_metrics
from isocenter_training.evaluation.parameters import EvaluationParameters
from isocenter_training.evaluation.scored_split import ScoredSplit, score_split
from isocenter_training.evaluation.scores import open_network
from isocenter_training.evaluation.slices import Slice, find_slices, is_too_small
from isocenter_training.evaluation.threshold import choose_threshold, parse_rule
from isocenter_training.evaluation.trained_bundle import TrainedBundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isocenter.datasets import Dataset

_DIGITS = 6


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Args:
        report: the metrics.
        validation: scored images that temperature and threshold were chosen on.
        test: scored images that the metrics are of.
        resamples: uint16 [replicates, test patients], of :func:`.bootstrap.draw_patients`.
    """

    report: EvaluationReport
    validation: ScoredSplit
    test: ScoredSplit
    resamples: "NDArray[np.uint16]"


def evaluate(
    dataset: "Dataset",
    bundle: TrainedBundle,
    parameters: EvaluationParameters,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score validation and test images, choose the decision on the first, measure on the second.

    Args:
        dataset: with pixels at the bundle's image size.
        bundle: what training left.
        parameters: see there.
        progress: called with images done and images in all.

    Raises:
        InputError: the dataset's classes are not the bundle's, a split is empty or validation lacks a class.
        IntegrityError: the network can't be run or gives no finite logits.
    """
    parse_rule(parameters.threshold_rule)
    _check_fit(dataset, bundle)
    validation, test = _score(dataset, bundle, parameters, progress)
    classes = dataset.version.classes
    decision = decide(validation, parameters.threshold_rule, (classes[0], classes[1]))
    resamples = draw_patients(test.counts.patients, parameters.bootstrap_replicates, parameters.seed)
    report = EvaluationReport(
        dataset_digest=dataset.version.digest,
        bundle_digest=bundle.digest,
        classes=classes,
        **test.counts.model_dump(),
        validation=validation.counts,
        decision=decision,
        metrics=estimate_metrics(test.sample(decision), decision.threshold, resamples),
        confusion=confusion(test.sample(decision), decision.threshold),
        slices=_slice_reports(test, decision, resamples, parameters.smallest_class),
        smallest_class=parameters.smallest_class,
        bootstrap_replicates=parameters.bootstrap_replicates,
        seed=parameters.seed,
    )
    return Evaluation(report, validation, test, resamples)


def decide(validation: ScoredSplit, rule: str, classes: tuple[str, str]) -> Decision:
    """Temperature and threshold from validation images.

    Raises:
        InputError: they lack a class, or nothing reaches what the rule asks.
    """
    parsed = parse_rule(rule)
    temperature = fit_temperature(validation.logits, validation.labels)
    scores = Decision(temperature=temperature, threshold=0.5, rule="").scores(validation.logits)
    threshold = choose_threshold(scores, validation.labels, parsed)
    return Decision(
        temperature=temperature,
        threshold=threshold,
        rule=f"{parsed} on validation images",
        classes=classes,
    )


def estimate_metrics(
    sample: Sample, threshold: float, resamples: "NDArray[np.uint16]"
) -> dict[MetricName, Estimate]:
    """Each metric of ``sample`` with its interval, rounded to six digits."""
    found = intervals(sample, threshold, resamples)
    return {name: _estimate(value, found[name]) for name, value in point_metrics(sample, threshold).items()}


def _estimate(value: float | None, interval: tuple[float, float] | None) -> Estimate:
    low, high = interval or (None, None)
    return Estimate(value=_rounded(value), low=_rounded(low), high=_rounded(high))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def confusion(sample: Sample, threshold: float) -> dict[str, int]:
    """Images by truth and call."""
    called, positive = sample.scores >= threshold, sample.labels == 1
    return {
        "tp": int((called & positive).sum()),
        "fp": int((called & ~positive).sum()),
        "tn": int((~called & ~positive).sum()),
        "fn": int((~called & positive).sum()),
    }


def _check_fit(dataset: "Dataset", bundle: TrainedBundle) -> None:
    ours, theirs = tuple(dataset.version.classes), bundle.plan.task.classes
    if len(ours) != 2 or theirs not in (None, ours):
        raise InputError(f"The dataset's classes {ours} are not the bundle's {theirs}.")
    for split in (Split.VALIDATION, Split.TEST):
        if len(dataset.rows(split)) == 0:
            raise InputError(
                f"The dataset has no {split.value} images.",
                hint="Patients are split by hash, 15 % to validation and 15 % to test: add patients.",
            )


def _score(
    dataset: "Dataset",
    bundle: TrainedBundle,
    parameters: EvaluationParameters,
    progress: Callable[[int, int], None] | None,
) -> tuple[ScoredSplit, ScoredSplit]:
    network = open_network(bundle.onnx, parameters.threads)
    validation, test = (len(dataset.rows(split)) for split in (Split.VALIDATION, Split.TEST))
    if progress:
        progress(0, validation + test)

    def score(split: Split, before: int) -> ScoredSplit:
        return score_split(
            dataset,
            split,
            network,
            bundle.image_size,
            batch_size=parameters.batch_size,
            progress=(lambda done: progress(before + done, validation + test)) if progress else None,
        )

    return score(Split.VALIDATION, 0), score(Split.TEST, validation)


def _slice_reports(
    test: ScoredSplit, decision: Decision, resamples: "NDArray[np.uint16]", smallest_class: int
) -> tuple[SliceReport, ...]:
    sample = test.sample(decision)
    return tuple(
        _slice_report(part, sample.take(part.rows), decision.threshold, resamples, smallest_class)
        for part in find_slices(test.attributes)
    )


def _slice_report(
    part: Slice, sample: Sample, threshold: float, resamples: "NDArray[np.uint16]", smallest_class: int
) -> SliceReport:
    too_small = is_too_small(sample, smallest_class)
    return SliceReport(
        attribute=part.attribute,
        value=part.value,
        images=len(sample.labels),
        patients=len(np.unique(sample.patients)),
        positives=int(sample.labels.sum()),
        too_small=too_small,
        metrics={} if too_small else estimate_metrics(sample, threshold, resamples),
    )
