"""What the pipeline's steps leave, as a card is made from it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from isocenter.datasets.summary import ClassCount, DatasetSummary, SplitCount, ValueCount
from isocenter.domain.dataset import Split
from isocenter.domain.evaluation import Decision, Estimate, EvaluationReport, SliceReport
from isocenter.domain.training_plan import TrainingPlan, load_plan

DIGEST = "sha256:" + "d" * 64


def slice_report(attribute: str, value: str, auroc: float | None) -> SliceReport:
    return SliceReport(
        attribute=attribute,
        value=value,
        images=40,
        patients=30,
        positives=12,
        too_small=auroc is None,
        metrics={} if auroc is None else {"auroc": Estimate(value=auroc, low=auroc - 0.1, high=auroc + 0.05)},
    )


@pytest.fixture
def evaluation() -> EvaluationReport:
    return EvaluationReport(
        dataset_digest=DIGEST,
        bundle_digest="sha256:" + "b" * 64,
        classes=("normal", "pneumonia"),
        images=80,
        patients=60,
        positives=25,
        decision=Decision(temperature=1.31, threshold=0.42, rule="youden", classes=("normal", "pneumonia")),
        metrics={"auroc": Estimate(value=0.931, low=0.902, high=0.957), "auprc": Estimate(value=None)},
        confusion={"tp": 22, "fp": 5, "tn": 50, "fn": 3},
        slices=(
            slice_report("sex", "F", 0.94),
            slice_report("sex", "", None),
            slice_report("scanner", "Acme | <b>X</b>\n# 1", 0.91),
        ),
        bootstrap_replicates=1000,
        seed=0,
    )


@pytest.fixture
def summary() -> DatasetSummary:
    return DatasetSummary(
        digest=DIGEST,
        classes=("normal", "pneumonia"),
        images=400,
        patients=300,
        studies=310,
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
        image_sizes=(128,),
        class_counts=(ClassCount(name="normal", images=275, patients=210),),
        splits=(
            SplitCount(split=Split.TRAIN, images=280, patients=210, by_class=(190, 90)),
            SplitCount(split=Split.TEST, images=80, patients=60, by_class=(55, 25)),
        ),
        attributes={
            "sex": (
                ValueCount(value="F", images=210, by_class=(140, 70)),
                ValueCount(value="", images=190, by_class=(135, 55)),
            ),
            "bits_stored": (ValueCount(value="12", images=400, by_class=(275, 125)),),
        },
        quarantine=(),
        ingest=None,
        remarks=(),
    )


@pytest.fixture
def plan() -> TrainingPlan:
    return load_plan("small")


@pytest.fixture
def lineage() -> dict[str, Any]:
    return {"code": {"commit": "0123abc"}, "seeds": {"training": 0}}
