"""Exceptions excuse what they name, as long as they hold, and are findings themselves when they don't."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies.conftest import REPOSITORY, Scan
from policies.documents import KEY, WEAK_KEY, document, write

GOOD = {
    "rule": "ISO_AWS_001",
    "resource": "aws_kms_key.data",
    "owner": "platform-security",
    "reason": "A test.",
    "until": "2999-12-31",
}


def scan(
    policies: Scan, folder: Path, *exceptions: dict[str, Any], content: Any = None
) -> tuple[int, list[Any]]:
    """The exit code and the findings; exceptions are written as YAML, with a date that is none in JSON."""
    lines = []
    for exception in exceptions:
        items = [f"{key}: {value}" for key, value in exception.items()]
        lines.append("- " + "\n  ".join(items))
    file = folder / "exceptions.yaml"
    file.write_text("\n\n".join(lines) + "\n")
    path = write(folder, content or document(aws_kms_key={"data": WEAK_KEY, "other": KEY}))
    done = policies("scan", path, "--json", "--rules", "own", "--exceptions", file)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]


def test_an_exception_excuses_and_stays_visible(policies: Scan, tmp_path: Path) -> None:
    code, (finding,) = scan(policies, tmp_path, GOOD)
    assert code == 0
    assert finding["state"] == "excused"
    assert finding["exception"] == {"owner": "platform-security", "reason": "A test.", "until": "2999-12-31"}


def test_a_pattern_excuses_several(policies: Scan, tmp_path: Path) -> None:
    both = document(aws_kms_key={"data": WEAK_KEY, "data-copy": WEAK_KEY, "other": KEY})
    code, found = scan(policies, tmp_path, {**GOOD, "resource": "aws_kms_key.data*"}, content=both)
    assert code == 0
    assert [f["state"] for f in found] == ["excused", "excused"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"until": "2001-01-01"}, "ended on 2001-01-01"),
        ({"until": ""}, "no end date"),
        ({"owner": ""}, "no owner"),
        ({"reason": ""}, "no reason"),
    ],
)
def test_an_exception_that_does_not_hold_is_a_finding_and_excuses_nothing(
    change: dict[str, str], said: str, policies: Scan, tmp_path: Path
) -> None:
    code, found = scan(policies, tmp_path, {**GOOD, **change})
    assert code == 8
    assert {f["rule"] for f in found if f["state"] == "open"} == {"ISO_AWS_001", "ISO_SCAN_001"}
    (about,) = [f for f in found if f["rule"] == "ISO_SCAN_001"]
    assert said in about["detail"]
    assert about["file"].endswith("exceptions.yaml")
    assert about["line"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"resource": "aws_kms_key.gone"},
        {"resource": "aws_kms_key.other"},
        {"resource": "aws_s3_bucket.data"},
        {"rule": "ISO_AWS_777"},
    ],
    ids=["no such resource", "keeps the rule", "the rule isn't about it", "no such rule"],
)
def test_an_exception_that_excuses_nothing_is_a_finding(
    change: dict[str, str], policies: Scan, tmp_path: Path
) -> None:
    code, found = scan(policies, tmp_path, GOOD, {**GOOD, **change})
    assert code == 8
    (about,) = [f for f in found if f["state"] == "open"]
    assert about["rule"] == "ISO_SCAN_002"
    assert about["line"] == 7


def test_exceptions_of_other_stacks_clouds_and_left_out_parts_are_not_judged(
    policies: Scan, tmp_path: Path
) -> None:
    others = (
        {**GOOD, "stack": "state"},
        {**GOOD, "rule": "ISO_GCP_001", "resource": "google_kms_crypto_key.data"},
        {**GOOD, "rule": "ISO_AWS_047", "resource": "aws_eks_cluster.x"},
    )
    code, found = scan(policies, tmp_path, GOOD, *others)
    assert code == 0
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- rule: ISO_AWS_001\n", "resource"),
        ("- {rule: a, resource: b, unitl: 2030-01-01}\n", "unitl"),
        ("- {rule: a, resource: b, until: soon}\n", "date"),
        ("rule: a\n", "list"),
        ("- [\n", "no list of exceptions"),
    ],
)
def test_a_file_that_is_no_list_of_exceptions_is_refused(
    text: str, said: str, policies: Scan, tmp_path: Path
) -> None:
    file = tmp_path / "exceptions.yaml"
    file.write_text(text)
    done = policies("scan", write(tmp_path, document()), "--exceptions", file)
    assert done.returncode == 3
    assert said in done.stderr


def test_the_repositorys_exceptions_hold(policies: Scan, tmp_path: Path) -> None:
    """Each has an owner, a reason and a date ahead, and is from a rule of the pack about such a resource."""
    path = write(tmp_path, document())
    done = policies("scan", path, "--json", "--exceptions", REPOSITORY / "policies/exceptions.yaml")
    details = [f["detail"] for f in json.loads(done.stdout)["findings"] if f["rule"].startswith("ISO_SCAN")]
    assert not details
