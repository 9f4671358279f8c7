"""The gate names each miss, by value and bound, and stays shut when it can't tell."""

from pathlib import Path
from typing import Any

import pytest

from isocenter.domain.evaluation import Decision, Estimate, EvaluationReport, SliceReport
from isocenter.errors import GateFailedError, InputError
from isocenter.pipelines.acceptance import Acceptance, load_acceptance
from isocenter.pipelines.gate import Verdict, apply_gate, refuse_unless_passed


def part(value: str, auroc: float | None, *, too_small: bool = False) -> SliceReport:
    metrics: Any = {} if too_small else {"auroc": Estimate(value=auroc)}
    return SliceReport(
        attribute="sex",
        value=value,
        images=40,
        patients=30,
        positives=10,
        too_small=too_small,
        metrics=metrics,
    )


def evaluation(*slices: SliceReport, **metrics: Any) -> EvaluationReport:
    return EvaluationReport(
        dataset_digest="sha256:0",
        bundle_digest="sha256:1",
        classes=("normal", "pneumonia"),
        images=80,
        patients=60,
        positives=30,
        decision=Decision(temperature=1, threshold=0.5, rule="youden"),
        metrics=metrics,
        confusion={"tp": 1, "fp": 1, "tn": 1, "fn": 1},
        slices=slices,
        bootstrap_replicates=100,
        seed=0,
    )


def acceptance(*rules: dict[str, Any]) -> Acceptance:
    return Acceptance.model_validate({"rules": rules})


def verdicts(report: EvaluationReport, *rules: dict[str, Any]) -> list[str]:
    return [check.verdict.value for check in apply_gate(report, acceptance(*rules)).checks]


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ({"metric": "auroc", "min": 0.9}, Verdict.MET),
        ({"metric": "auroc", "min": 0.91}, Verdict.MISSED),
        ({"metric": "auroc", "statistic": "low", "min": 0.8}, Verdict.MET),
        ({"metric": "auroc", "statistic": "low", "min": 0.81}, Verdict.MISSED),
        ({"metric": "auroc", "statistic": "high", "max": 0.95}, Verdict.MET),
        ({"metric": "brier", "max": 0.1}, Verdict.MET),
        ({"metric": "brier", "max": 0.09}, Verdict.MISSED),
        ({"metric": "brier", "statistic": "high", "max": 0.5}, Verdict.MISSED),
        ({"metric": "accuracy", "min": 0.1}, Verdict.MISSED),
        ({"metric": "auprc", "min": 0.1}, Verdict.MISSED),
    ],
)
def test_rule(rule: dict[str, Any], verdict: Verdict) -> None:
    """``brier`` has no interval, ``accuracy`` no value and ``auprc`` is not there: they can't be met."""
    report = evaluation(
        auroc=Estimate(value=0.9, low=0.8, high=0.95),
        brier=Estimate(value=0.1),
        accuracy=Estimate(value=None),
    )
    assert verdicts(report, rule) == [verdict]


def test_slices() -> None:
    report = evaluation(part("F", 0.7), part("M", 0.9), part("", None, too_small=True))
    of = {"attribute": "sex"}
    assert verdicts(report, {"metric": "auroc", "min": 0.8, "slice": of}) == ["missed", "met", "skipped"]
    assert verdicts(report, {"metric": "auroc", "min": 0.8, "slice": of | {"value": "M"}}) == ["met"]
    assert verdicts(report, {"metric": "auroc", "min": 0.8, "slice": of | {"value": "O"}}) == ["skipped"]
    assert verdicts(report, {"metric": "auroc", "min": 0.8, "slice": {"attribute": "view"}}) == ["skipped"]


def test_refusal_names_each_miss_and_by_how_much() -> None:
    report = evaluation(part("F", 0.7), auroc=Estimate(value=0.75), brier=Estimate(value=0.3))
    rules = acceptance(
        {"metric": "auroc", "min": 0.8},
        {"metric": "brier", "max": 0.25},
        {"metric": "auroc", "min": 0.72, "slice": {"attribute": "sex"}},
        {"metric": "sensitivity", "min": 0.5},
        {"metric": "auroc", "min": 0.1},
    )
    with pytest.raises(GateFailedError) as caught:
        refuse_unless_passed(apply_gate(report, rules), report=Path("/r/report.html"))
    text = caught.value.message
    assert "auroc >= 0.8: is 0.750, misses by 0.050" in text
    assert "brier <= 0.25: is 0.300, misses by 0.050" in text
    assert "auroc of sex F >= 0.72: is 0.700, misses by 0.020" in text
    assert "sensitivity >= 0.5: not defined" in text
    assert "0.1:" not in text
    assert "/r/report.html" in caught.value.hint


def test_gate_where_nothing_could_be_checked_stays_shut() -> None:
    result = apply_gate(
        evaluation(), acceptance({"metric": "auroc", "min": 0.1, "slice": {"attribute": "sex"}})
    )
    assert not result.passed
    with pytest.raises(GateFailedError, match="No rule could be checked"):
        refuse_unless_passed(result, report=Path("r"))


def test_default_acceptance_refuses_a_coin() -> None:
    coin = Estimate(value=0.5, low=0.4, high=0.6)
    report = evaluation(auroc=coin, sensitivity=coin, specificity=coin, brier=Estimate(value=0.25))
    assert not apply_gate(report, load_acceptance()).passed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: []", "rules"),
        ("rules: [{metric: auroc}]", "either min or max"),
        ("rules: [{metric: auroc, min: 0.1, max: 0.2}]", "either min or max"),
        ("rules: [{metric: f1, min: 0.1}]", "metric"),
        ("rules: [{metric: auroc, min: 0.1, slice: {attribute: name}}]", "attribute"),
        ("rules: [{metric: auroc, min: 0.1, typo: 1}]", "typo"),
        ("rules: {", "can't be read"),
        ("- 1", "the whole must be"),
    ],
)
def test_wrong_acceptance_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "acceptance.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_acceptance(path)


def test_no_acceptance_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no acceptance file"):
        load_acceptance(tmp_path / "none.yaml")


def test_a_narrow_miss_is_not_shown_as_none() -> None:
    rules = acceptance({"metric": "brier", "max": 0.25})
    with pytest.raises(GateFailedError, match=r"is 0\.250041, misses by 0\.000041"):
        refuse_unless_passed(
            apply_gate(evaluation(brier=Estimate(value=0.250041)), rules), report=Path("/r/report.html")
        )
