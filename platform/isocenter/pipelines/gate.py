"""The gate: an evaluation against the acceptance rules."""

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from isocenter.domain.evaluation import Estimate, EvaluationReport
from isocenter.errors import GateFailedError
from isocenter.pipelines.acceptance import Acceptance, Rule


class Verdict(enum.StrEnum):
    """What came of one rule."""

    MET = "met"
    MISSED = "missed"
    SKIPPED = "skipped"


class Check(BaseModel):
    """One rule held against the evaluation.

    Args:
        rule: in words, e.g. ``auroc (low) of sex F >= 0.7``.
        verdict: met, missed, or skipped when the slice says nothing.
        value: what the model reached; None when it is not defined.
        bound: what was asked.
        margin: how far the value is on the right side of the bound; negative when missed.
        note: why it was skipped, or has no value.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    verdict: Verdict
    value: float | None = None
    bound: float
    margin: float | None = None
    note: str = ""


class GateResult(BaseModel):
    """All checks of one evaluation."""

    model_config = ConfigDict(frozen=True)

    checks: tuple[Check, ...]

    @property
    def missed(self) -> tuple[Check, ...]:
        """The checks that the model did not meet."""
        return tuple(check for check in self.checks if check.verdict is Verdict.MISSED)

    @property
    def passed(self) -> bool:
        """Whether the model met each rule that could be checked, and at least one could."""
        return not self.missed and any(check.verdict is Verdict.MET for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The result as JSON."""
        return {"passed": self.passed, **self.model_dump(mode="json")}


def apply_gate(evaluation: EvaluationReport, acceptance: Acceptance) -> GateResult:
    """Hold ``evaluation`` against each rule. A metric that is not defined misses its rule."""
    return GateResult(checks=tuple(c for rule in acceptance.rules for c in _checks(rule, evaluation)))


def refuse_unless_passed(result: GateResult, report: Path) -> None:
    """Raise unless the model passed.

    Args:
        result: from :func:`apply_gate`.
        report: where a person can read more.

    Raises:
        GateFailedError: names each missed rule, the value and by how much it missed.
    """
    if result.passed:
        return
    misses = "; ".join(_describe(check) for check in result.missed)
    raise GateFailedError(
        f"The model did not pass the gate; nothing was registered. {misses or 'No rule could be checked'}.",
        hint=f"Look at {report}. Train longer or on more data, or review the acceptance file.",
    )


def _checks(rule: Rule, evaluation: EvaluationReport) -> Iterator[Check]:
    if rule.slice is None:
        yield _check(rule, _name(rule), evaluation.metrics.get(rule.metric))
        return
    wanted = rule.slice
    found = [s for s in evaluation.slices if s.attribute == wanted.attribute]
    if wanted.value is not None:
        found = [s for s in found if s.value == wanted.value]
    if not found:
        yield _skipped(rule, _name(rule, wanted.value), "no test image has it")
    for part in found:
        name = _name(rule, part.value)
        if part.too_small:
            yield _skipped(rule, name, f"too few patients ({part.patients}) to say anything")
        else:
            yield _check(rule, name, part.metrics.get(rule.metric))


def _check(rule: Rule, name: str, estimate: Estimate | None) -> Check:
    value = None if estimate is None else getattr(estimate, rule.statistic)
    if value is None:
        known = estimate is not None and estimate.value is not None
        note = "there is no interval" if known else "not defined on these test images"
        return Check(rule=name, verdict=Verdict.MISSED, bound=rule.bound, note=note)
    margin = rule.margin(value)
    verdict = Verdict.MET if margin >= 0 else Verdict.MISSED
    return Check(rule=name, verdict=verdict, value=value, bound=rule.bound, margin=margin)


def _skipped(rule: Rule, name: str, note: str) -> Check:
    return Check(rule=name, verdict=Verdict.SKIPPED, bound=rule.bound, note=note)


def _name(rule: Rule, value: str | None = None) -> str:
    statistic = "" if rule.statistic == "value" else f" ({rule.statistic} end of its interval)"
    where = ""
    if rule.slice is not None:
        where = f" of {rule.slice.attribute.replace('_', ' ')} {'not stated' if value == '' else value or ''}"
    sign = ">=" if rule.max is None else "<="
    return f"{rule.metric.replace('_', ' ')}{statistic}{where.rstrip()} {sign} {rule.bound:g}"


def _describe(check: Check) -> str:
    if check.value is None or check.margin is None:
        return f"{check.rule}: {check.note}"
    digits = 3 if -check.margin >= 0.001 else 6  # a miss is never shown as none
    return f"{check.rule}: is {check.value:.{digits}f}, misses by {-check.margin:.{digits}f}"
