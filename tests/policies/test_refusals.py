"""What the scan refuses to be silent about."""

import json
from pathlib import Path

import pytest

from policies.conftest import Scan
from policies.documents import document, write

UNREADABLE, NOTHING_CHECKED = 3, 6

TRAPS = {
    "required_version": document() | {"terraform": {"required_version": ">= 1.10"}},
    "experiments": document() | {"terraform": {"experiments": []}},
    "moved": document() | {"moved": [{"from": "aws_kms_key.a", "to": "aws_kms_key.b"}]},
    "import": document() | {"import": [{"to": "aws_kms_key.a", "id": "x"}]},
    "removed": document() | {"removed": [{"from": "aws_kms_key.a"}]},
    "module": document() | {"module": {"m": {"source": "./m"}}},
    "no resource": {"terraform": {}},
    "empty": {},
    "a list": [],
    "a resource that is a list": {"resource": {"aws_kms_key": {"a": [{}]}}},
    "resources as a list": {"resource": [{"aws_kms_key": {}}]},
    "not JSON": '{"resource": ',
    "a key twice": '{"resource": {"aws_kms_key": {"a": {}}}, "resource": {"aws_kms_key": {"b": {}}}}',
    "HCL": 'resource "aws_kms_key" "a" {}',
    "no text": "",
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_document_that_checkov_would_skip_is_refused(name: str, policies: Scan, tmp_path: Path) -> None:
    done = policies("scan", write(tmp_path, TRAPS[name]))
    assert done.returncode == UNREADABLE, done.stdout
    assert "cdk.tf.json" in done.stderr
    assert "Traceback" not in done.stderr
    if name in ("required_version", "moved", "import", "removed", "module"):
        assert name in done.stderr


def test_one_bad_document_among_good_ones_refuses_all(policies: Scan, tmp_path: Path) -> None:
    write(tmp_path, document(), "a")
    write(tmp_path, TRAPS["moved"], "b")
    assert policies("scan", tmp_path).returncode == UNREADABLE


@pytest.mark.parametrize("where", ["nowhere.json", "."])
def test_nothing_to_scan_is_refused(where: str, policies: Scan, tmp_path: Path) -> None:
    done = policies("scan", tmp_path / where)
    assert done.returncode == UNREADABLE
    assert "make synth" in done.stderr


@pytest.mark.parametrize(
    "resources",
    [
        {"random_password": {"x": {"length": 32}}},
        {"aws_internet_gateway": {"x": {}}},
        {"time_sleep": {"x": {}}, "null_resource": {"y": {}}},
    ],
    ids=["unknown", "all broken", "helpers"],
)
def test_a_document_in_which_nothing_passed_is_refused(
    resources: dict[str, dict[str, object]], policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    path = write(tmp_path, document(**resources))
    done = policies("scan", path, "--rules", "own", "--exceptions", no_exceptions)
    assert done.returncode == NOTHING_CHECKED
    assert "says nothing" in done.stderr


def test_an_unknown_cloud_is_refused(policies: Scan, tmp_path: Path) -> None:
    write(tmp_path, document())
    done = policies("scan", tmp_path, "--cloud", "ibm")
    assert done.returncode == UNREADABLE
    assert "'ibm'" in done.stderr


PACK = {
    "title": "t",
    "controls": {1: {"title": "t", "citations": [], "severity": "high", "why": "w.", "rules": []}},
}


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ({"rules": ["CKV_AWS_999999"]}, "CKV_AWS_999999"),
        ({"rules": ["ISO_AWS_003"]}, "ISO_AWS_003"),
        ({"rules": ["CKV_AWS_7", "CKV_AWS_7"]}, "twice"),
        ({"severity": "awful"}, "severity"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_pack_is_refused(
    control: dict[str, object], said: str, policies: Scan, tmp_path: Path, no_exceptions: Path
) -> None:
    pack = tmp_path / "pack.yaml"
    pack.write_text(json.dumps({"title": "t", "controls": {1: {**PACK["controls"][1], **control}}}))  # type: ignore[index]
    done = policies("scan", write(tmp_path, document()), "--pack", pack, "--exceptions", no_exceptions)
    assert done.returncode == UNREADABLE, done.stdout
    assert said in done.stderr
