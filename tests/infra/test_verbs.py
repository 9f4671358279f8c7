"""What the infrastructure verbs say and choose, without Terraform and without a cloud."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from infra_examples import example

from isocenter.errors import EnvironmentFaultError
from isocenter.home import Home
from isocenter_infra.change.destroy import destroy_emulated
from isocenter_infra.change.intent import Intent
from isocenter_infra.emulator import server

ROOT = Path(__file__).parents[2]


def make(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def infra(tmp_path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = os.environ | {"ISOCENTER_HOME": str(tmp_path / "store")}
    command = [sys.executable, "-m", "isocenter_infra", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        ("aws", "platform[aws]"),
        ("gcp", "platform[gcp]"),
        ("azure", "platform[azure]"),
        ("onprem", "platform[kubernetes]"),
        ("emulator", "platform' "),
    ],
)
def test_a_clouds_bindings_come_with_the_platforms_part(tmp_path: Path, cloud: str, said: str) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    done = make("--dry-run", f"VENV={venv}", f"{venv}/.installed-infra-{cloud}")
    assert done.returncode == 0, done.stderr
    assert f"--editable '{said}" in done.stdout


def test_help_names_plan_and_digest() -> None:
    assert "PLAN=DIR DIGEST=sha256:" in make("help").stdout


@pytest.mark.parametrize("verb", ["synth", "plan", "drift", "destroy", "bootstrap"])
def test_the_local_target_needs_no_terraform(tmp_path: Path, verb: str) -> None:
    done = infra(tmp_path, verb, "--cloud", "local")
    assert done.returncode == 3, done.stderr
    assert "no Terraform is needed" in done.stderr
    assert "make deploy CLOUD=local" in done.stderr


def test_a_reason_may_hold_quotes_and_dollars(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    told = ["CLOUD=local", "FORCE=1", 'REASON=it\'s "over" at $5', f"INFRA={python}"]
    done = make("--assume-old=.venv-policies/.installed", "destroy", *told)
    assert done.returncode == 0, done.stderr
    assert 'it\'s "over" at $5' in done.stdout.splitlines()


def test_a_reason_of_one_word_is_too_short(tmp_path: Path) -> None:
    done = infra(tmp_path, "destroy", "--cloud", "onprem", "--force", "--reason", "over", "--auto-approve")
    assert done.returncode == 8, done.stderr
    assert "a reason of two words at least" in done.stderr
