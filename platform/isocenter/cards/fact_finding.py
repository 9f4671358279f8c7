"""The facts of a card, taken from what the pipeline's steps left. The same inputs give the same facts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isocenter.cards.facts import DatasetFacts, EvaluationFacts, Facts, SplitFacts
from isocenter.domain.evaluation import EvaluationReport
from isocenter.domain.training_plan import TrainingPlan

if TYPE_CHECKING:
    from isocenter.datasets.summary import DatasetSummary, SplitCount

_ATTRIBUTES = ("sex", "age_band", "view", "scanner")


def find_facts(
    evaluation: EvaluationReport, summary: "DatasetSummary", plan: TrainingPlan, lineage: Mapping[str, Any]
) -> Facts:
    """The facts that ``evaluate``, the dataset, the plan and lineage know."""
    return Facts(
        dataset=_dataset(summary),
        evaluation=_evaluation(evaluation),
        plan=plan.model_dump(mode="json"),
        lineage=dict(lineage),
    )


def _dataset(summary: "DatasetSummary") -> DatasetFacts:
    return DatasetFacts(
        digest=summary.digest,
        classes=summary.classes,
        images=summary.images,
        patients=summary.patients,
        splits=tuple(_split(part) for part in summary.splits),
        attributes={
            name: {count.value: count.images for count in summary.attributes[name]}
            for name in _ATTRIBUTES
            if name in summary.attributes
        },
    )


def _evaluation(report: EvaluationReport) -> EvaluationFacts:
    return EvaluationFacts(
        images=report.images,
        patients=report.patients,
        positives=report.positives,
        threshold=report.decision.threshold,
        threshold_rule=report.decision.rule,
        temperature=report.decision.temperature,
        metrics=dict(report.metrics),
        confusion=dict(report.confusion),
        slices=report.slices,
        bootstrap_replicates=report.bootstrap_replicates,
    )


def _split(part: "SplitCount") -> SplitFacts:
    return SplitFacts(
        name=part.split.value, images=part.images, patients=part.patients, positives=part.by_class[1]
    )
