"""Which stacks are scanned: those of deployments that there are, or of the one that is named."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.audit import AuditTrail
from isocenter.home import Home
from isocenter.storage.database import open_database
from policies.conftest import REPOSITORY, Scan
from policies.documents import KEY, WEAK_KEY, document, write

Folders = tuple[Path, Path]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """Stacks of a deployment that there is (its main one breaks a rule), and of one that is gone."""
    stacks, deployments = tmp_path / "stacks", tmp_path / "deployments"
    deployments.mkdir()
    (deployments / "here.yaml").write_text("name: here\ncloud: aws\n")
    aws = {"provider": {"aws": []}}
    write(stacks, document(aws_kms_key={"data": WEAK_KEY, "other": KEY}) | aws, "here")
    write(stacks, document() | aws, "here-state")
    write(stacks, document() | aws, "gone")
    return stacks, deployments


@pytest.fixture
def scan(policies: Scan, folders: Folders, no_exceptions: Path) -> Callable[..., tuple[int, list[str], str]]:
    """``scan(...)``: exit code, the scanned stacks, and what was said on standard error."""
    stacks, deployments = folders

    def run(*words: object) -> tuple[int, list[str], str]:
        done = policies(
            "scan", stacks, "--deployments", deployments, "--json", "--exceptions", no_exceptions, *words
        )
        files = json.loads(done.stdout)["files"] if done.stdout else []
        return done.returncode, [Path(file["path"]).parent.name for file in files], done.stderr

    return run


def test_a_leftover_stack_is_left_out_and_named(scan: Callable[..., tuple[int, list[str], str]]) -> None:
    code, scanned, said = scan()
    assert (code, scanned) == (8, ["here", "here-state"])
    assert "NOT SCANNED" in said
    assert "gone/cdk.tf.json" in said


def test_programs_are_told_too(policies: Scan, folders: Folders, no_exceptions: Path) -> None:
    stacks, deployments = folders
    done = policies("scan", stacks, "--deployments", deployments, "--json", "--exceptions", no_exceptions)
    (left_out,) = json.loads(done.stdout)["left_out"]
    assert left_out["path"].endswith("gone/cdk.tf.json")
    assert "settings file" in left_out["reason"]


def test_a_leftover_stack_that_is_broken_stops_nobody(
    scan: Callable[..., tuple[int, list[str], str]], folders: Folders
) -> None:
    (folders[0] / "gone/cdk.tf.json").write_text("{")
    code, scanned, said = scan("--cloud", "aws")
    assert (code, scanned) == (8, ["here", "here-state"])
    assert "NOT SCANNED" in said


def test_the_named_deployment_only(scan: Callable[..., tuple[int, list[str], str]]) -> None:
    code, scanned, said = scan("--name", "here")
    assert (code, scanned) == (8, ["here", "here-state"])
    assert said == ""


def test_a_leftover_one_is_scanned_when_named_and_said_to_be_one(
    scan: Callable[..., tuple[int, list[str], str]],
) -> None:
    code, scanned, said = scan("--name", "gone")
    assert (code, scanned) == (0, ["gone"])
    assert "no settings file" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name", "her"), "make synth NAME=her"),
        (("--name", "here", "--cloud", "gcp"), "make synth CLOUD=gcp NAME=here"),
    ],
)
def test_nothing_of_what_was_asked_for(
    words: tuple[str, ...], said: str, scan: Callable[..., tuple[int, list[str], str]]
) -> None:
    code, _, error = scan(*words)
    assert code == 3
    assert said in error


def test_nothing_but_leftovers_is_no_success(
    scan: Callable[..., tuple[int, list[str], str]], folders: Folders
) -> None:
    (folders[1] / "here.yaml").unlink()
    code, _, said = scan()
    assert code == 3
    assert "gone, here" in said


def test_a_stack_that_is_older_than_its_settings_is_said_to_be(
    scan: Callable[..., tuple[int, list[str], str]], folders: Folders
) -> None:
    os.utime(folders[0] / "here/cdk.tf.json", (1, 1))
    code, _, said = scan()
    assert code == 8
    assert "make synth CLOUD=aws NAME=here" in said
    assert said.count("is older than") == 1


def test_settings_that_cannot_be_read_are_not_taken_for_gone(
    scan: Callable[..., tuple[int, list[str], str]], folders: Folders
) -> None:
    (folders[1] / "here.yaml").write_text("name: [")
    code, _, said = scan()
    assert code == 3
    assert "here.yaml" in said


def make(stacks: Path, python: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    installed = [word for venv in (".venv", ".venv-policies") for word in ("-o", f"{venv}/.installed")]
    words = ["make", "--no-print-directory", *installed, "policy"]
    words += [f"STACKS={stacks}", f"POLICY_PYTHON={python}", *variables]
    return subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_make_policy_hands_its_variables_over(tmp_path: Path, policy_python: Path) -> None:
    stacks = tmp_path / "stacks"
    for name in ("one", "two"):
        write(stacks, document() | {"provider": {"aws": []}}, name)
    sarif = tmp_path / "found.sarif"
    done = make(stacks, policy_python, "CLOUD=aws", "NAME=two", "JSON=1", f"SARIF={sarif}")
    assert done.returncode == 0, done.stderr
    (file,) = json.loads(done.stdout)["files"]
    assert Path(file["path"]).parent.name == "two"
    assert sarif.exists()


def test_make_policy_is_recorded_however_it_ends(
    tmp_path: Path, policy_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "store"))
    stacks = tmp_path / "stacks"
    write(stacks, document(aws_kms_key={"data": WEAK_KEY, "other": KEY}) | {"provider": {"aws": []}}, "one")
    for variables in (["NAME=one"], ["NAME=two"], ["CLOUD=aws", "DEPLOYMENTS="]):
        assert make(stacks, policy_python, *variables).returncode == 2, "make's own code of a failed recipe"
    home = Home(tmp_path / "store")
    database = open_database(home)
    records = AuditTrail(home, database).list()
    database.close()
    found = [(each.action, each.object, each.outcome, each.details) for each in reversed(records)]
    assert found == [
        ("deployment.policy", "deployment:one", "denied", '{"exit_code":8}'),
        ("deployment.policy", "deployment:two", "failure", '{"exit_code":3}'),
        ("deployment.policy", "cloud:aws", "denied", '{"exit_code":8}'),
    ]


def test_make_policy_without_a_name_leaves_foreign_stacks_out(tmp_path: Path, policy_python: Path) -> None:
    for name in ("aws-example", "one"):
        write(tmp_path, document() | {"provider": {"aws": []}}, name)
    done = make(tmp_path, policy_python)
    assert done.returncode == 0, done.stderr
    assert "aws-example/cdk.tf.json: 1 resources" in done.stdout
    assert "NOT SCANNED" in done.stderr
