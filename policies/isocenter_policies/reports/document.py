"""The result as JSON, for programs."""

from typing import Any

from isocenter_policies.rule import Severity
from isocenter_policies.scan import Finding, ScanResult


def as_json(result: ScanResult, threshold: Severity) -> dict[str, Any]:
    """The result; ``refused`` says whether the scan's exit code is 8."""
    return {
        "version": 1,
        "refused": bool(result.open(threshold)),
        "threshold": threshold,
        "seconds": round(result.seconds, 3),
        "rules": len(result.catalogue.rules),
        "files": [{**vars(file), "path": str(file.path), "passed": file.passed} for file in result.files],
        "findings": [_finding(finding) for finding in result.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    rule, place, excused = finding.rule, finding.place, finding.excused
    return {
        "rule": rule.id,
        "severity": rule.severity,
        "title": rule.title,
        "why": rule.why,
        "fix": rule.fix,
        "control": rule.control,
        "citations": [f"45 CFR {citation}" for citation in rule.citations],
        "stack": finding.stack,
        "resource": finding.resource,
        "document": str(finding.document),
        "file": place.file if place else "",
        "line": place.line if place else 0,
        "detail": finding.detail,
        "state": "excused" if excused else "open",
        "exception": excused
        and {"owner": excused.owner, "reason": excused.reason, "until": str(excused.until)},
    }
