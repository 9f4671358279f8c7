"""The result as SARIF 2.1.0: GitHub shows it at the Python lines that made the resources."""

from pathlib import Path
from typing import Any

from isocenter_policies.catalogue import POLICIES, RuleInfo
from isocenter_policies.scan import Finding, ScanResult

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# GitHub orders alerts by this number, which it reads as a CVSS score.
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}


def sarif(result: ScanResult) -> dict[str, Any]:
    """The log of one run."""
    rules = {finding.rule.id: finding.rule for finding in result.findings}
    order = {id_: index for index, id_ in enumerate(rules)}
    driver = {
        "name": "isocenter-policies",
        "rules": [_rule(rule) for rule in rules.values()],
    }
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"ROOT": {"description": {"text": "The repository's root."}}},
                "results": [_result(finding, order[finding.rule.id]) for finding in result.findings],
            }
        ],
    }


def _rule(rule: RuleInfo) -> dict[str, Any]:
    citations = [f"45 CFR {citation}" for citation in rule.citations]
    serves = "; ".join([*citations, *([f"control {rule.control}"] if rule.control else [])])
    text = f"{rule.why} {rule.fix}".strip() + (f" ({serves})" if serves else "")
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.title.split() if word.isalnum()),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": text},
        "help": {"text": text, "markdown": f"**Why** {rule.why}\n\n**Fix** {rule.fix}\n\n{serves}"},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", *citations],
            "security-severity": _SCORES[rule.severity],
            "control": rule.control,
        },
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    place = finding.place
    uri = place.file if place else _relative(finding.document)
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri, "uriBaseId": "ROOT"},
            "region": {"startLine": place.line if place else 1},
        },
        "logicalLocations": [{"fullyQualifiedName": finding.resource, "kind": "resource"}],
    }
    found = {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": _LEVELS[finding.rule.severity],
        "message": {
            "text": f"{finding.resource}: {finding.rule.title}. {finding.detail or finding.rule.fix}"
        },
        "locations": [location],
        "partialFingerprints": {"resource/v1": f"{finding.rule.id}:{finding.resource}"},
    }
    if finding.excused:
        reason = f"{finding.excused.reason} ({finding.excused.owner}, until {finding.excused.until})"
        found["suppressions"] = [{"kind": "external", "justification": reason}]
    return found


def _relative(path: Path) -> str:
    root, whole = POLICIES.parent, path.resolve()
    return (whole.relative_to(root) if whole.is_relative_to(root) else whole).as_posix().lstrip("/")
