"""Holding the rules against a Submission."""

from dataclasses import dataclass
from typing import Any

from isocenter.domain.submission import Submission
from isocenter.errors import PolicyError
from isocenter.policy.catalogue import RULES
from isocenter.policy.rule import Flaw, JobRequest, Rule
from isocenter.targets.descriptor import DeploymentDescriptor


@dataclass(frozen=True)
class Finding:
    """One place of a request that breaks a rule."""

    rule: Rule
    flaw: Flaw

    @property
    def sentence(self) -> str:
        """Rule, place, what is wrong there and what to do."""
        return f"{self.rule.id} ({self.rule.title}): {self.flaw.place} {self.flaw.what}. {self.rule.fix}"

    def as_json(self) -> dict[str, Any]:
        """For programs; the names are those of the policy scan's findings."""
        rule = self.rule
        return {
            "rule": rule.id,
            "severity": rule.severity,
            "title": rule.title,
            "place": self.flaw.place,
            "what": self.flaw.what,
            "why": rule.why,
            "fix": rule.fix,
            "control": rule.control,
            "citations": [f"45 CFR {citation}" for citation in rule.citations],
        }


@dataclass(frozen=True)
class Verdict:
    """What the rules say of a request.

    Args:
        findings: what breaks them.
        kept: ids of the rules that it keeps.
        not_checked: ids of the rules that only the target's descriptor could tell, where there was none.
    """

    findings: tuple[Finding, ...]
    kept: tuple[str, ...]
    not_checked: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "refused": bool(self.findings),
            "findings": [finding.as_json() for finding in self.findings],
            "kept": list(self.kept),
            "not_checked": list(self.not_checked),
        }


def check(submission: Submission, target: DeploymentDescriptor | None) -> Verdict:
    """Hold the rules against ``submission``. Pure: no network, no credentials.

    Args:
        submission: as a backend planned it, or as it was read from a file.
        target: where it is going; None: what only a deployment can tell is not checked.

    Raises:
        InputError: it is no request of its backend.
    """
    job = JobRequest(submission.backend, submission.request, target)
    about = [rule for rule in RULES if rule.is_about(job.backend)]
    asked = [rule for rule in about if target is not None or not rule.needs_target]
    findings = [Finding(rule, flaw) for rule in asked for flaw in _flaws(rule, job)]
    broken = {finding.rule.id for finding in findings}
    return Verdict(
        tuple(findings),
        tuple(rule.id for rule in asked if rule.id not in broken),
        tuple(rule.id for rule in about if rule not in asked),
    )


def _flaws(rule: Rule, job: JobRequest) -> tuple[Flaw, ...]:
    try:
        return tuple(rule.flaws(job))
    except (AttributeError, KeyError, TypeError, ValueError):
        # Silence would look as if the rule were kept.
        return (Flaw("the request", "isn't built as its service takes it: the rule could not be asked"),)


def refuse_unless_kept(submission: Submission, target: DeploymentDescriptor) -> None:
    """Go on only with a request that keeps every rule.

    Raises:
        PolicyError: names each rule that it breaks, where, and what to do.
    """
    found = check(submission, target).findings
    if found:
        said = "".join(f"\n  {finding.sentence}" for finding in found)
        raise PolicyError(
            f"The request was not sent to {target.name}: it breaks rules for jobs.{said}",
            hint="--dry-run shows the whole request; docs/training-on-a-target.md has the rules.",
        )
