"""``isocenter target show|check local``: the embedded target, before and after it is made."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "store"
    monkeypatch.setenv("ISOCENTER_HOME", str(root))
    for name in ("ISOCENTER_DEPLOYMENTS", "ISOCENTER_DATABASE_URL", "ISOCENTER_SITE_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    return root


def deploy() -> None:
    local = pytest.importorskip("isocenter_infra.verbs.local", reason="LACKS: isocenter-infra")
    local.deploy(as_json=True)


def test_what_is_not_there_yet_is_said_and_not_made(store: Path, isocenter_cli: Cli) -> None:
    shown = isocenter_cli("target", "show", "local")
    assert shown.returncode == 0
    assert str(store) in shown.stdout
    assert "make deploy CLOUD=local" in shown.stdout
    checked = isocenter_cli("target", "check", "local")
    assert checked.returncode == 7
    assert "make deploy CLOUD=local" in checked.stderr
    assert not store.exists()


def test_what_deploy_made_is_shown_and_passes(store: Path, isocenter_cli: Cli) -> None:
    deploy()
    found = json.loads(isocenter_cli("target", "show", "local", "--json").stdout)
    assert (found["name"], found["backend"], found["directory"]) == ("local", "local", str(store))
    assert str(store / "site.secret") in found["key"]
    assert str(store / "records.db") in found["database"]
    assert found["audit_trail"] == "1 records under a signed head"
    checked = isocenter_cli("target", "check", "local", "--json")
    assert checked.returncode == 0
    assert [(probe["what"], probe["ok"]) for probe in json.loads(checked.stdout)] == [
        ("directory", True),
        ("key", True),
        ("database", True),
        ("audit trail", True),
    ]


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [("site.secret", b"short", "key"), ("records.db", b"no database" * 99, "database")],
)
def test_what_is_broken_fails(store: Path, isocenter_cli: Cli, file: str, content: bytes, what: str) -> None:
    deploy()
    (store / file).write_bytes(content)
    checked = isocenter_cli("target", "check", "local", "--json")
    assert checked.returncode == 7
    failed = {probe["what"]: probe["said"] for probe in json.loads(checked.stdout) if not probe["ok"]}
    assert failed[what]


def test_what_is_missing_is_not_made_by_looking(store: Path, isocenter_cli: Cli) -> None:
    deploy()
    (store / "site.secret").unlink()
    checked = isocenter_cli("target", "check", "local")
    assert checked.returncode == 7
    assert "1 of 4 probes of local failed: key." in checked.stderr
    assert not (store / "site.secret").exists()
