"""Running Terraform: finding it, reading its plans, and saying what its errors mean."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest
from infra_examples import DEPLOYMENTS

from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IntegrityError,
    IsocenterError,
    JobFailedError,
    PolicyError,
)
from isocenter_infra.change.unsaved import save_patiently
from isocenter_infra.terraform.argument_changes import ArgumentChange
from isocenter_infra.terraform.binary import environment, find_terraform
from isocenter_infra.terraform.diagnosis import Diagnostic, explain
from isocenter_infra.terraform.plan_summary import Action, Change, count, summarise
from isocenter_infra.terraform.plugins import find_provider
from isocenter_infra.terraform.workspace import Workspace, parse_errors


def program(folder: Path, name: str, version: str) -> None:
    path = folder / name
    path.write_text(f'#!/bin/sh\necho \'{{"terraform_version": "{version}"}}\'\n')
    path.chmod(0o755)


def test_terraform_or_tofu_whichever_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "tofu", "1.11.2")
    found = find_terraform({"PATH": os.environ["PATH"]})
    assert (found.product, found.version) == ("tofu", "1.11.2")
    program(tmp_path, "mine", "1.12.0-beta1")
    chosen = find_terraform({"ISOCENTER_TERRAFORM": str(tmp_path / "mine")})
    assert (chosen.product, chosen.version) == ("terraform", "1.12.0-beta1")


@pytest.mark.parametrize("version", ["1.5.7", "0.15.0", "1.9.8"])
def test_a_terraform_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "terraform", version)
    with pytest.raises(EnvironmentFaultError, match=f"is version {version}"):
        find_terraform({})


def test_without_terraform_the_error_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFaultError, match="Neither terraform nor tofu") as caught:
        find_terraform({})
    assert "opentofu.org" in caught.value.hint


def test_a_configuration_file_that_isnt_there_is_not_asked_for(tmp_path: Path) -> None:
    assert "TF_CLI_CONFIG_FILE" not in environment({"TF_CLI_CONFIG_FILE": str(tmp_path / "none")})
    (tmp_path / "rc").touch()
    assert environment({"TF_CLI_CONFIG_FILE": str(tmp_path / "rc")})["TF_CLI_CONFIG_FILE"]


def test_a_provider_is_found_where_the_user_says(tmp_path: Path) -> None:
    for version in ("5.9.0", "5.100.0", "junk"):
        (tmp_path / "registry.terraform.io" / "hashicorp" / "aws" / version).mkdir(parents=True)
    found = find_provider("aws", {"TF_PLUGIN_DIR": str(tmp_path)})
    assert found is not None
    assert (found.plugin_dir, found.version) == (tmp_path, "5.100.0")


# What providers and Terraform said, and what its reader is told.
SAID: list[tuple[str, str, type[IsocenterError], str]] = [
    ("No valid credential sources found", "", EnvironmentFaultError, "no valid credentials"),
    ("Attempted to load application default credentials", "", EnvironmentFaultError, "gcloud auth"),
    (
        "Error acquiring the state lock",
        "Error message: operation error S3: PutObject, https response error StatusCode: 412,"
        " RequestID: KAYCZ, HostID: , api error PreconditionFailed\n"
        "Lock Info:\n  ID:        abc-1\n  Path:      b/k\n  Operation: OperationTypeApply\n"
        "  Who:       anna@laptop\n  Version:   1.11.4\n  Created:   2026-11-24 10:00:00 UTC\n",
        EnvironmentFaultError,
        "locked by anna@laptop since 2026-11-24 10:00:00 UTC (lock abc-1)",
    ),
    ("Saved plan is stale", "", IntegrityError, "has changed since this plan was made"),
    ("Instance cannot be destroyed", "lifecycle.prevent_destroy", PolicyError, "which are protected"),
    (
        "creating S3 Bucket (x): BucketAlreadyExists: The requested bucket name is not available",
        "",
        InputError,
        "taken by somebody else (aws_s3_bucket.data)",
    ),
    ("creating Storage Account: StorageAccountAlreadyTaken", "", InputError, "taken by somebody else"),
    ("googleapi: Error 409: The requested bucket name is not available.", "", InputError, "taken"),
    ("validating S3 Bucket (A_b) name: InvalidBucketName", "", InputError, "not allowed in this cloud"),
    (
        "creating SageMaker Domain: ResourceLimitExceeded: The account-level service limit is 0",
        "",
        EnvironmentFaultError,
        "quota of the cloud is reached",
    ),
    (
        "creating Role: AccessDenied: User: arn:aws:sts::1:x is not authorized to perform: iam:CreateRole",
        "",
        EnvironmentFaultError,
        "not authorized to perform: iam:CreateRole",
    ),
    ("googleapi: Error 403: Permission 'storage.buckets.create' denied", "", EnvironmentFaultError, "denied"),
    (
        "Failed to save state",
        "write errored.tfstate: no space left on device",
        EnvironmentFaultError,
        "disk is full",
    ),
    ("Failed to query available provider packages", "", EnvironmentFaultError, "TF_PLUGIN_DIR"),
    ("dial tcp 127.0.0.1:1: connect: connection refused", "", EnvironmentFaultError, "can't be reached"),
    ('S3 bucket "x-tfstate" does not exist.', "", EnvironmentFaultError, "make bootstrap"),
    ("Something new", "with details", JobFailedError, "aws_s3_bucket.data: Something new with details"),
]


@pytest.mark.parametrize(("summary", "detail", "kind", "words"), SAID, ids=[said[0][:40] for said in SAID])
def test_an_error_is_explained(summary: str, detail: str, kind: type[IsocenterError], words: str) -> None:
    error = explain([Diagnostic(summary, detail, "aws_s3_bucket.data")])
    assert type(error) is kind
    assert words in f"{error.message} {error.hint}"
    assert "{" not in error.message + error.hint


def test_errors_printed_for_people_are_read() -> None:
    text = "╷\n│ Error: First thing\n│ \n│   with a.b,\n│ more\n╵\n╷\n│ Error: Second\n│ \n│ rest\n╵\n"
    first, second = parse_errors(text)
    assert (first.summary, second.summary) == ("First thing", "Second")
    assert "more" in first.detail


def change(address: str, *actions: str, before: object = None, after: object = None) -> dict[str, object]:
    return {"address": address, "change": {"actions": list(actions), "before": before, "after": after}}


def test_a_plan_is_told_gravest_first() -> None:
    plan = {
        "resource_changes": [
            change("a.new", "create", after={"x": 1}),
            change("a.same", "no-op"),
            change("a.read", "read"),
            change("a.other", "update", before={"x": "old", "y": 1}, after={"x": "new", "y": 1}),
            change("a.gone", "delete", before={"x": 1}),
            change("a.again", "delete", "create", before={"x": 1}, after={"x": 2}),
        ]
    }
    changes = summarise(plan)
    assert [(c.action, c.address) for c in changes] == [
        (Action.DESTROY, "a.gone"),
        (Action.REPLACE, "a.again"),
        (Action.UPDATE, "a.other"),
        (Action.CREATE, "a.new"),
    ]
    assert changes[2] == Change(Action.UPDATE, "a.other", (ArgumentChange("x", "old", "new"),))
    assert count(changes) == {"destroy": 1, "replace": 1, "update": 1, "create": 1}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    if not (shutil.which("terraform") or shutil.which("tofu")):
        pytest.skip("LACKS: terraform or tofu, for what it says of a cloud without credentials")
    (tmp_path / "deployments").mkdir()
    for name in ("aws", "gcp"):
        shutil.copy(DEPLOYMENTS / f"{name}-example.yaml", tmp_path / "deployments")
    return tmp_path


def verb(place: Path, *words: str, outdir: Path | None = None) -> "subprocess.CompletedProcess[str]":
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_"))}
    own = {"ISOCENTER_HOME": str(place / "store"), "HOME": str(place), "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-m", "isocenter_infra", *words, "--outdir", str(outdir or place / "out")]
    return subprocess.run(
        [*command, "--deployments", str(place / "deployments")],
        env=kept | own | {"NO_GCE_CHECK": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_state_that_an_apply_could_not_save_is_saved_later(tmp_path: Path) -> None:
    """Terraform leaves errored.tfstate when the state's place dies; without it, what was made is nobody's."""
    if not (shutil.which("terraform") or shutil.which("tofu")):
        pytest.skip("LACKS: terraform or tofu, for a state that could not be saved")
    document = {"resource": {"terraform_data": {"x": {"input": "made"}}}}
    (tmp_path / "cdk.tf.json").write_text(json.dumps(document))
    workspace = Workspace(tmp_path, find_terraform(os.environ), environment())
    workspace.init()
    workspace.plan(tmp_path / "plan.tfplan", lambda message: None)
    workspace.apply(tmp_path / "plan.tfplan", lambda message: None)
    assert workspace.save_unsaved() is False
    (tmp_path / "terraform.tfstate").rename(tmp_path / "errored.tfstate")
    assert workspace.is_empty()
    assert workspace.save_unsaved() is True
    assert not workspace.is_empty()
    assert not (tmp_path / "errored.tfstate").exists()
    assert workspace.plan(tmp_path / "plan.tfplan", lambda message: None) is False

    (tmp_path / "errored.tfstate").write_text(
        (tmp_path / "terraform.tfstate").read_text().replace('"lineage": "', '"lineage": "another-')
    )
    with pytest.raises(IntegrityError, match="could not save its state"):
        workspace.save_unsaved()
    assert (tmp_path / "errored.tfstate").exists(), "the only record of what that apply made"


class StateServer(BaseHTTPRequestHandler):
    """https://developer.hashicorp.com/terraform/language/backend/http"""

    kept: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.kept else 404)
        self.end_headers()
        self.wfile.write(self.kept)

    def do_POST(self) -> None:
        StateServer.kept = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """It has nothing to say."""


@contextmanager
def state_server(port: int = 0) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", port), StateServer) as server:
        Thread(target=server.serve_forever).start()
        yield int(server.server_address[1])
        server.shutdown()


def test_a_state_is_saved_as_soon_as_its_place_answers_again(tmp_path: Path) -> None:
    if not (shutil.which("terraform") or shutil.which("tofu")):
        pytest.skip("LACKS: terraform or tofu, for a state that could not be saved")
    workspace = Workspace(tmp_path, find_terraform(os.environ), environment())
    said: list[str] = []
    with state_server() as port:
        backend = {"http": {"address": f"http://127.0.0.1:{port}", "retry_max": 0}}
        (tmp_path / "cdk.tf.json").write_text(json.dumps({"terraform": {"backend": backend}}))
        workspace.init()
        assert save_patiently(workspace, said.append, wait_s=0) is False
    unsaved = tmp_path / "errored.tfstate"
    made = {"made": {"value": "by that apply", "type": "string"}}
    unsaved.write_text(json.dumps({"version": 4, "serial": 7, "lineage": "x", "outputs": made}))
    with pytest.raises(
        EnvironmentFaultError, match="could not be saved: The cloud can't be reached"
    ) as caught:
        save_patiently(workspace, said.append, wait_s=0)
    assert "holds secrets" in caught.value.hint
    assert unsaved.exists()

    with ThreadPoolExecutor(1) as patient:
        saving = patient.submit(save_patiently, workspace, said.append, wait_s=120, pause_s=0.2)
        while not said:
            assert not saving.done(), saving.result()
            time.sleep(0.05)
        with state_server(port):
            assert saving.result(120) is True
    assert said == ["The cloud can't be reached. Trying again for 120 s."]
    assert not unsaved.exists()
    assert json.loads(StateServer.kept)["outputs"] == made


@pytest.mark.slow
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_without_credentials_the_error_says_how_to_log_in(place: Path, cloud: str) -> None:
    done = verb(place, "plan", "--cloud", cloud)
    assert done.returncode == EnvironmentFaultError.exit_code, done.stdout + done.stderr
    assert "no valid credentials" in done.stderr
    assert "policy" in done.stdout, "the checks come before the cloud is asked for"


@pytest.mark.parametrize("cloud", ["gcp", "azure"])
def test_no_cloud_is_emulated_that_cant_be_applied_to(place: Path, cloud: str) -> None:
    shutil.copy(DEPLOYMENTS / "azure-example.yaml", place / "deployments")
    done = verb(place, "plan", "--cloud", cloud, "--emulate")
    assert done.returncode == InputError.exit_code, done.stdout + done.stderr
    assert "There is no emulator" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode:
        pytest.skip("LACKS: the right to mount a small file system, for the full disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_named_and_nothing_half_written_stays(place: Path, small_disk: Path) -> None:
    done = verb(place, "synth", "--cloud", "aws", outdir=small_disk)
    assert done.returncode == EnvironmentFaultError.exit_code, done.stderr
    assert "disk is full" in done.stderr
    assert not [path for path in small_disk.rglob("*") if path.is_file()]
