"""What the infrastructure verbs say and choose, without Terraform and without a cloud."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from infra_examples import example

from isocenter.audit import AuditTrail
from isocenter.errors import EnvironmentFaultError
from isocenter.home import Home
from isocenter.storage.database import open_database
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


@pytest.mark.parametrize("verb", ["synth", "plan", "drift", "destroy", "bootstrap", "save-state"])
def test_the_local_target_needs_no_terraform(tmp_path: Path, verb: str) -> None:
    done = infra(tmp_path, verb, "--cloud", "local")
    assert done.returncode == 3, done.stderr
    assert "no Terraform is needed" in done.stderr
    assert "make deploy CLOUD=local" in done.stderr


VERBS = ["synth", "plan", "deploy", "drift", "destroy", "bootstrap", "save-state"]


def audited(tmp_path: Path) -> list[tuple[str, str, str, dict[str, Any]]]:
    """The trail, oldest first: action, object, outcome, details."""
    home = Home(tmp_path / "store")
    database = open_database(home)
    records = AuditTrail(home, database).list()
    database.close()
    return [
        (record.action, record.object, record.outcome, json.loads(record.details))
        for record in reversed(records)
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_can_not_read_its_settings_is_recorded(tmp_path: Path, verb: str) -> None:
    settings = tmp_path / "deployments" / "aws-dev.yaml"
    settings.parent.mkdir()
    action, where = f"deployment.{verb}", ("--deployments", str(settings.parent))
    assert infra(tmp_path, verb, "--cloud", "aws", *where).returncode == 3
    settings.write_text("name: aws-dev\ncloud: aws\nregion: nowhere-in-particular\n")
    done = infra(tmp_path, verb, "--cloud", "aws", *where)
    assert done.returncode == 3
    assert f"{settings} is wrong" in done.stderr
    infra(tmp_path, verb, "--cloud", "aws", "--name", "aws-dev", *where)
    infra(tmp_path, verb, "--cloud", "aws", "--name", "Jane Doe, born 1960", *where)
    about = ["cloud:aws", "cloud:aws", "deployment:aws-dev", "cloud:aws"]
    codes = ["not-found", "bad-input", "bad-input", "not-found"]
    assert audited(tmp_path) == [
        (action, each, "failure", {"error": code}) for each, code in zip(about, codes, strict=True)
    ]


def test_a_digest_without_its_plan_is_recorded(tmp_path: Path) -> None:
    done = infra(tmp_path, "deploy", "--cloud", "onprem", "--digest", "sha256:" + "0" * 64)
    assert done.returncode == 3
    assert "not said where its plan lies" in done.stderr
    assert "PLAN=infra/cdktf.out/plans/onprem-example" in done.stderr
    assert audited(tmp_path) == [
        ("deployment.deploy", "deployment:onprem-example", "failure", {"error": "bad-input"})
    ]


def test_verbs_of_the_local_target_are_recorded(tmp_path: Path) -> None:
    infra(tmp_path, "plan", "--cloud", "local")
    assert infra(tmp_path, "deploy", "--cloud", "local").returncode == 0
    (tmp_path / "store" / "site.secret").write_bytes(b"short")
    assert infra(tmp_path, "deploy", "--cloud", "local").returncode == 7
    assert [(action, about, outcome) for action, about, outcome, _ in audited(tmp_path)] == [
        ("deployment.plan", "deployment:local", "failure"),
        ("deployment.deploy", "deployment:local", "success"),
        ("deployment.deploy", "deployment:local", "failure"),
    ]


def test_what_can_not_be_recorded_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    done = infra(tmp_path, "synth", "--cloud", "onprem", "--outdir", str(tmp_path / "out"))
    assert done.returncode == 7
    assert "can't be made" in done.stderr
    assert not (tmp_path / "out").exists()


def test_synth_renews_the_states_stack_where_a_bootstrap_left_one(tmp_path: Path) -> None:
    """Else `make policy` calls it older than the settings, and nothing that it advises helps."""
    left = tmp_path / "stacks" / "onprem-example-state" / "cdk.tf.json"
    words = ("synth", "--cloud", "onprem", "--outdir", str(tmp_path))
    assert infra(tmp_path, *words).returncode == 0
    assert not left.exists()
    left.parent.mkdir()
    left.write_text("{}")
    os.utime(left, (1, 1))
    done = infra(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(left.read_bytes())["resource"]
    assert left.stat().st_mtime > (ROOT / "deployments" / "onprem-example.yaml").stat().st_mtime


def test_a_broken_neighbour_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "deployments"
    folder.mkdir()
    (folder / "onprem-example.yaml").write_bytes((ROOT / "deployments" / "onprem-example.yaml").read_bytes())
    (folder / "aws-dev.yaml").write_text("cloud: aws\n\tname: aws-dev\n")
    where = ("--deployments", str(folder), "--outdir", str(tmp_path / "out"))
    done = infra(tmp_path, "synth", "--cloud", "onprem", *where)
    assert done.returncode == 0, done.stderr
    assert f"{folder / 'aws-dev.yaml'} can't be read, so its names weren't compared" in done.stderr
    assert audited(tmp_path)[0][:3] == ("deployment.synth", "deployment:onprem-example", "success")


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


@pytest.fixture
def emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Intent:
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "store"))
    intent = Intent(example("aws"), tmp_path, tmp_path / "out", emulate=True)
    intent.descriptor.write_text("{}")
    return intent


def known_at(tmp_path: Path, port: int) -> None:
    path = tmp_path / "store" / "emulators" / "aws-deployed.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"endpoint": f"http://127.0.0.1:{port}", "pid": 1}))


def test_what_a_dead_emulator_held_is_gone(tmp_path: Path, emulated: Intent) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        port = closed.server_port
    known_at(tmp_path, port)
    said: list[str] = []
    destroy_emulated(emulated, said.append)
    assert "doesn't run any more" in said[0]
    assert not emulated.descriptor.exists()


@pytest.mark.parametrize("code", [200, 500])
def test_an_emulator_that_runs_is_emptied(tmp_path: Path, emulated: Intent, code: int) -> None:
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(code)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Answer) as running:
        Thread(target=running.serve_forever, daemon=True).start()
        known_at(tmp_path, running.server_port)
        if code == 200:
            destroy_emulated(emulated, pytest.fail)
        else:
            with pytest.raises(EnvironmentFaultError, match="can't be emptied"):
                destroy_emulated(emulated, pytest.fail)
        running.shutdown()
    assert asked == ["/moto-api/reset"]
    assert emulated.descriptor.exists() == (code == 500)


def test_an_emulator_is_named_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_start", lambda folder: ("http://127.0.0.1:1", 4711))
    said: list[str] = []
    root = tmp_path / "store"
    root.mkdir()
    server.ensure_server(Home(root), said.append)
    assert "`kill 4711` ends it" in said[0]
