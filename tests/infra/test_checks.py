"""What is wrong with a stack is found, and named with its line, before Terraform is called."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isocenter.targets.settings import Cloud
from isocenter_infra.bindings.arguments import ArgumentTable, read_arguments
from isocenter_infra.bindings.cut_cache import cut_tarball
from isocenter_infra.change.schema_check import check_schema
from isocenter_infra.synthesis import stack_submodules

ROOT = Path(__file__).parents[2]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def tables() -> Callable[[str], ArgumentTable]:
    def table(cloud: str) -> ArgumentTable:
        used = stack_submodules(Cloud(cloud))
        return read_arguments([cut_tarball(name, subs, lambda said: None) for name, subs in used.items()])

    return table


@pytest.mark.parametrize("cloud", list(Cloud))
@pytest.mark.parametrize("stack", ["main", "state"])
def test_every_argument_of_every_stack_is_known(
    stack_of: Callable[..., Document], tables: Callable[[str], ArgumentTable], cloud: str, stack: str
) -> None:
    assert check_schema(stack_of(cloud, stack), tables(cloud)) == ()


def first(document: Document, kind: str) -> dict[str, Any]:
    body: dict[str, Any] = next(iter(document["resource"][kind].values()))
    return body


def unknown(document: Document) -> None:
    first(document, "aws_kms_key")["enable_key_rotatoin"] = True


def missing(document: Document) -> None:
    del first(document, "aws_subnet")["vpc_id"]


def nested(document: Document) -> None:
    first(document, "aws_s3_bucket_versioning")["versioning_configuration"] = {"statu": "Enabled"}


def in_a_list(document: Document) -> None:
    first(document, "aws_cloudtrail")["event_selector"][0]["data_resource"][0]["kind"] = "x"


def strange_type(document: Document) -> None:
    document["resource"]["aws_no_such_thing"] = {"x": {}}


@pytest.mark.parametrize(
    ("spoil", "sentences"),
    [
        (unknown, {"There is no argument enable_key_rotatoin (did you mean enable_key_rotation?)."}),
        (missing, {"The argument vpc_id is missing."}),
        (
            nested,
            {
                "The argument versioning_configuration.status is missing.",
                "There is no argument versioning_configuration.statu (did you mean status?).",
            },
        ),
        (in_a_list, {"There is no argument event_selector.data_resource.kind."}),
        (strange_type, {"The bindings know no resource type aws_no_such_thing."}),
    ],
)
def test_a_fault_is_named_with_its_place(
    stack_of: Callable[..., Document],
    tables: Callable[[str], ArgumentTable],
    spoil: Callable[[Document], None],
    sentences: set[str],
) -> None:
    document = stack_of("aws")
    spoil(document)
    faults = check_schema(document, tables("aws"))
    assert {fault.sentence for fault in faults} == sentences
    if spoil is not strange_type:
        assert all(fault.source.startswith("aws/") for fault in faults)


@pytest.mark.slow
def test_a_control_that_is_lost_stops_the_plan_before_terraform(tmp_path: Path) -> None:
    """Somebody turns key rotation off in the sources."""
    (tmp_path / "sitecustomize.py").write_text(
        "import isocenter_infra.synthesis as synthesis\n"
        "whole = synthesis.synthesize\n"
        "def spoiled(*args, **kwargs):\n"
        "    made = whole(*args, **kwargs)\n"
        "    for body in made.document['resource']['aws_kms_key'].values():\n"
        "        body['enable_key_rotation'] = False\n"
        "    return made\n"
        "synthesis.synthesize = spoiled\n"
    )
    called = tmp_path / "terraform"
    called.write_text(f'#!/bin/sh\ntouch {tmp_path}/called\necho \'{{"terraform_version": "1.12.0"}}\'\n')
    called.chmod(0o755)
    words = [sys.executable, "-m", "isocenter_infra", "plan", "--cloud", "aws", "--outdir", str(tmp_path)]
    own = {"PYTHONPATH": str(tmp_path), "ISOCENTER_HOME": str(tmp_path / "store")}
    own |= {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        words, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 8, done.stdout + done.stderr
    assert "Terraform was not called" in done.stderr
    assert "aws/keys.py:" in done.stdout
    assert "enable_key_rotation must be true" in " ".join(done.stdout.split())
    assert not (tmp_path / "called").exists()
    records = subprocess.run(
        [sys.executable, "-m", "isocenter.cli.main", "audit", "list", "--json"],
        env=os.environ | own,
        capture_output=True,
        check=True,
    )
    (record,) = json.loads(records.stdout)
    assert (record["action"], record["outcome"]) == ("deployment.plan", "denied")


@pytest.mark.slow
def test_without_the_policy_scanner_nothing_is_planned(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "isocenter_infra", "plan", "--cloud", "aws", "--outdir", str(tmp_path)]
    own = {"ISOCENTER_POLICY_PYTHON": str(tmp_path / "none"), "ISOCENTER_HOME": str(tmp_path / "store")}
    done = subprocess.run(
        words, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 7, done.stdout + done.stderr
    assert "policy scanner is not installed" in done.stderr
    assert "make policy" in done.stderr
