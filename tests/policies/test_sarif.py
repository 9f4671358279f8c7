"""SARIF for GitHub: valid by the schema, and at the Python lines that made the resources."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog

from policies.conftest import Scan
from policies.documents import KEY, WEAK_KEY, document, write


@pytest.fixture(scope="module")
def log(policies: Scan, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("sarif")
    exceptions = folder / "exceptions.yaml"
    exceptions.write_text(
        "- {rule: ISO_AWS_001, resource: aws_kms_key.old, owner: o, reason: r, until: 2999-01-01}\n"
    )
    unplaced = {name: value for name, value in WEAK_KEY.items() if name != "//"}
    keys = {"data": WEAK_KEY, "old": WEAK_KEY, "unplaced": unplaced, "good": KEY}
    path = write(folder, document(aws_kms_key=keys))
    written = folder / "policy.sarif"
    assert policies("scan", path, "--sarif", written, "--exceptions", exceptions).returncode == 8
    found: dict[str, Any] = json.loads(written.read_text())
    return found


def test_it_is_valid_by_the_schema(log: dict[str, Any]) -> None:
    """The model is generated from OASIS' schema of SARIF 2.1.0 and forbids what that doesn't know."""
    SarifLog.model_validate_json(json.dumps(log))


def result_of(log: dict[str, Any], resource: str) -> dict[str, Any]:
    (found,) = [
        result
        for result in log["runs"][0]["results"]
        if result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == resource
    ]
    return dict(found)


def test_a_result_is_at_the_python_line_that_made_the_resource(log: dict[str, Any]) -> None:
    place = result_of(log, "aws_kms_key.data")["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "infra/isocenter_infra/aws/keys.py"
    assert place["region"]["startLine"] == 71


def test_a_result_without_a_python_line_is_at_the_document(log: dict[str, Any]) -> None:
    place = result_of(log, "aws_kms_key.unplaced")["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("cdk.tf.json")
    assert not place["artifactLocation"]["uri"].startswith("/")


def test_an_excused_result_is_suppressed(log: dict[str, Any]) -> None:
    assert result_of(log, "aws_kms_key.old")["suppressions"][0]["justification"] == "r (o, until 2999-01-01)"
    assert "suppressions" not in result_of(log, "aws_kms_key.data")


def test_results_point_at_their_rules(log: dict[str, Any]) -> None:
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    for result in log["runs"][0]["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    (rule,) = [rule for rule in rules if rule["id"] == "ISO_AWS_001"]
    assert rule["properties"]["tags"] == ["security", "45 CFR 164.312(a)(2)(iv)"]
    assert float(rule["properties"]["security-severity"]) == 8.0


def test_a_finding_has_one_fingerprint_for_ever(log: dict[str, Any]) -> None:
    prints = [result["partialFingerprints"]["resource/v1"] for result in log["runs"][0]["results"]]
    assert len(prints) == len(set(prints))
    assert "ISO_AWS_001:aws_kms_key.data" in prints


def test_a_folder_that_is_missing_is_named(policies: Scan, tmp_path: Path) -> None:
    done = policies("scan", write(tmp_path, document()), "--sarif", tmp_path / "none" / "x.sarif")
    assert done.returncode == 3
    assert "x.sarif" in done.stderr
