"""The scan: documents, rules and exceptions in; findings out."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from isocenter_policies.catalogue import POLICIES, Catalogue, RuleInfo
from isocenter_policies.checks import Outcome, check_document
from isocenter_policies.document import Document, Place
from isocenter_policies.errors import NothingCheckedError
from isocenter_policies.exceptions import RuleException
from isocenter_policies.rule import SEVERITIES, Severity

# Findings of the scan itself; rules of the stacks are ISO_AWS_..., ISO_GCP_..., ISO_AZURE_..., ISO_K8S_...
INVALID_EXCEPTION = RuleInfo(
    "ISO_SCAN_001", "high", "Exceptions have an owner, a reason and an end that lies ahead",
    "An exception that nobody answers for, or that outlived its reason, is a hole that nobody sees.",
    "Review the exception with its owner and give it a new end, or mend the resource and delete it.", 0,
)  # fmt: skip
UNUSED_EXCEPTION = RuleInfo(
    "ISO_SCAN_002", "medium", "Each exception excuses something",
    "An exception that excuses nothing today may excuse a defect tomorrow.", "Delete the exception.", 0,
)  # fmt: skip
BROKEN_RULE = RuleInfo(
    "ISO_SCAN_003", "high", "Each rule could be asked",
    "A rule that breaks on a resource says nothing about it, and silence is no answer.",
    "Mend the rule, or write the resource as the rule expects it.", 0,
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One thing that isn't as a rule wants it.

    Args:
        rule: that was broken.
        resource: Terraform address, or what else it is about.
        document: file that was scanned.
        place: in our sources, if known.
        excused: the exception that covers it, if any.
        detail: what the rule itself doesn't say; may be empty.
        stack: name of the stack that was scanned; empty where it is about no stack.
    """

    rule: RuleInfo
    resource: str
    document: Path
    place: Place | None
    excused: RuleException | None = None
    detail: str = ""
    stack: str = ""


@dataclass(frozen=True)
class ScannedFile:
    """How much of a file was checked.

    Args:
        path: of the file.
        stack: ``main`` or ``state``.
        resources: in it.
        kept: rule -> addresses that keep it; the evidence that a control was checked.
        failed: how often a rule was broken, or could not be asked, and no exception covers it.
        excused: how often a rule was broken and an exception covers it.
    """

    path: Path
    stack: str
    resources: int
    kept: Mapping[str, tuple[str, ...]]
    failed: int
    excused: int

    @property
    def passed(self) -> int:
        """How often a rule was kept."""
        return sum(len(addresses) for addresses in self.kept.values())


@dataclass(frozen=True)
class ScanResult:
    """What a scan found.

    Args:
        files: that were scanned.
        findings: worst first.
        catalogue: the rules that ran.
        seconds: that the scan took, without the start of Python.
    """

    files: tuple[ScannedFile, ...]
    findings: tuple[Finding, ...]
    catalogue: Catalogue
    seconds: float

    def open(self, at_least: Severity = "low") -> tuple[Finding, ...]:
        """The findings without an exception, of this severity or worse."""
        least = SEVERITIES.index(at_least)
        return tuple(
            f for f in self.findings if f.excused is None and SEVERITIES.index(f.rule.severity) >= least
        )

    @property
    def excused(self) -> tuple[Finding, ...]:
        """The findings that an exception covers."""
        return tuple(finding for finding in self.findings if finding.excused is not None)


def scan(
    documents: Sequence[Document],
    catalogue: Catalogue,
    exceptions: Sequence[RuleException] = (),
    *,
    exceptions_file: Path = POLICIES / "exceptions.yaml",
    today: date | None = None,
) -> ScanResult:
    """Hold the rules against the documents.

    Raises:
        NothingCheckedError: in one of the documents, no rule passed.
    """
    begin = time.perf_counter()
    day = today or date.today()
    checked = [(document, check_document(document, catalogue)) for document in documents]
    _refuse_silence(checked, catalogue)
    valid = [exception for exception in exceptions if not exception.fault(day)]
    of_file = {document.path: [*_findings(document, outs, catalogue, valid)] for document, outs in checked}
    files = tuple(_summary(document, outs, of_file[document.path]) for document, outs in checked)
    findings = [finding for found in of_file.values() for finding in found]
    findings += _invalid(exceptions, day, exceptions_file)
    used = {finding.excused for finding in findings}
    findings += _unused([e for e in valid if e not in used], documents, catalogue, exceptions_file)
    findings.sort(key=lambda f: (-SEVERITIES.index(f.rule.severity), f.rule.id, str(f.document), f.resource))
    return ScanResult(files, tuple(findings), catalogue, time.perf_counter() - begin)


def _summary(document: Document, outcomes: Sequence[Outcome], findings: Sequence[Finding]) -> ScannedFile:
    kept: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.verdict == "passed":
            kept.setdefault(outcome.rule, []).append(outcome.address)
    return ScannedFile(
        document.path,
        document.stack,
        resources=sum(len(named) for named in document.content["resource"].values()),
        kept={rule: tuple(sorted(addresses)) for rule, addresses in sorted(kept.items())},
        failed=sum(finding.excused is None for finding in findings),
        excused=sum(finding.excused is not None for finding in findings),
    )


def _refuse_silence(checked: Sequence[tuple[Document, list[Outcome]]], catalogue: Catalogue) -> None:
    """Rules about every resource pass anywhere, so they don't count: a foreign file would look checked."""
    for document, outcomes in checked:
        telling = (o for o in outcomes if o.verdict == "passed" and "*" not in catalogue.kinds[o.rule])
        if not any(telling):
            raise NothingCheckedError(
                f"In {document.path} no rule about its resources passed, so that the scan says nothing.",
                hint="Is it a stack of AWS, GCP, Azure or Kubernetes? Run `make synth`.",
            )


def _findings(
    document: Document, outcomes: Sequence[Outcome], catalogue: Catalogue, valid: Sequence[RuleException]
) -> Iterator[Finding]:
    for outcome in outcomes:
        if outcome.verdict == "passed":
            continue
        place = document.place(outcome.address)
        if outcome.verdict == "broken":
            detail = f"{outcome.rule} broke."
            yield Finding(
                BROKEN_RULE, outcome.address, document.path, place, detail=detail, stack=document.name
            )
            continue
        rule = catalogue.rules[outcome.rule]
        covering = (e for e in valid if e.covers(rule.id, outcome.address, document.stack))
        yield Finding(rule, outcome.address, document.path, place, next(covering, None), stack=document.name)


def _invalid(exceptions: Sequence[RuleException], today: date, file: Path) -> Iterator[Finding]:
    for exception in exceptions:
        if fault := exception.fault(today):
            yield _about(exception, INVALID_EXCEPTION, file, f"The exception {fault}.")


def _unused(
    unused: Sequence[RuleException], documents: Sequence[Document], catalogue: Catalogue, file: Path
) -> Iterator[Finding]:
    """Exceptions that excused nothing, where the documents could have shown something.

    Not judged are those about another cloud, another stack, or a part that this deployment does without.
    """
    for exception in unused:
        if exception.rule not in catalogue.rules:
            yield _about(
                exception, UNUSED_EXCEPTION, file, f"There is no rule {exception.rule} in this scan."
            )
        elif not any(fnmatchcase(exception.kind, kind) for kind in catalogue.kinds.get(exception.rule, ())):
            yield _about(exception, UNUSED_EXCEPTION, file, f"The rule isn't about {exception.kind}.")
        elif any(d.stack == exception.stack and exception.kind in d.content["resource"] for d in documents):
            yield _about(exception, UNUSED_EXCEPTION, file, "Nothing breaks this rule there.")


def _about(exception: RuleException, rule: RuleInfo, file: Path, detail: str) -> Finding:
    shown = file.relative_to(POLICIES.parent) if file.is_relative_to(POLICIES.parent) else file
    what = f"{exception.rule} at {exception.resource}"
    return Finding(rule, what, file, Place(str(shown), exception.line), detail=detail)
