"""``isocenter target list``: this machine, and each deployment descriptor."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.home import Home

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
DESCRIPTOR = {"name": "aws-prod", "provider": "aws", "backend": "sagemaker", "residency": "eu"}


def test_local_is_always_there(home: Home, isocenter_cli: Cli) -> None:
    (local,) = json.loads(isocenter_cli("target", "list", "--json").stdout)
    assert (local["name"], local["installed"], local["origin"]) == ("local", True, "built in")
    assert "local" in isocenter_cli("target", "list").stdout


def test_descriptors_add_targets(home: Home, isocenter_cli: Cli) -> None:
    (home.root / "deployments").mkdir()
    (home.root / "deployments" / "a.json").write_text(json.dumps(DESCRIPTOR))
    without = {"PYTHONPATH": str(Path(__file__).parent / "without_packages")}
    hidden = {**os.environ, **without, "HIDDEN_PACKAGES": "boto3", "ISOCENTER_HOME": str(home.root)}
    _, target = json.loads(isocenter_cli("target", "list", "--json", env=hidden).stdout)
    assert (target["name"], target["residency"], target["origin"]) == ("aws-prod", "eu", "a.json")
    assert (target["installed"], target["install"]) == (False, "pip install 'isocenter[aws]'")


def test_a_wrong_descriptor_stops_its_own_target_only(home: Home, isocenter_cli: Cli) -> None:
    folder = home.root / "deployments"
    folder.mkdir()
    (folder / "aws-prod.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(DESCRIPTOR).encode())
    (folder / "gcp-prod.json").write_text("{")
    shown = isocenter_cli("target", "show", "aws-prod")
    assert shown.returncode == 0, shown.stderr
    assert "sagemaker" in shown.stdout
    other = isocenter_cli("target", "show", "gcp-prod")
    assert other.returncode == 3
    assert "'gcp-prod.json' is wrong: it is no JSON: EOF while parsing" in other.stderr
    assert "make deploy" in other.stderr


def test_an_address_that_is_none_fails_its_probe(home: Home, isocenter_cli: Cli) -> None:
    (home.root / "deployments").mkdir()
    wrong = {"endpoints": {"one": "http://[::1", "two": "http://127.0.0.1:99999"}}
    (home.root / "deployments" / "a.json").write_text(json.dumps(DESCRIPTOR | wrong))
    checked = isocenter_cli("target", "check", "aws-prod", "--json")
    assert checked.returncode == 7
    assert [(probe["what"], probe["ok"]) for probe in json.loads(checked.stdout)] == [
        ("endpoint one", False),
        ("endpoint two", False),
    ]


def test_init_says_where_it_can_not_write(tmp_path: Path, isocenter_cli: Cli) -> None:
    (tmp_path / "file").write_text("x")
    for folder, words in {
        tmp_path / "file": "is a file, not a folder",
        Path("/proc/x"): "can't be written",
    }.items():
        done = isocenter_cli("target", "init", "--cloud", "aws", "--deployments", folder)
        assert done.returncode == 3
        assert words in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({**DESCRIPTOR, "provider": "moon"}), "provider"),
        (json.dumps({**DESCRIPTOR, "name": "local"}), "More than one target"),
        (json.dumps({**DESCRIPTOR, "typo": 1}), "typo"),
        ("{", "is wrong:"),
    ],
)
def test_wrong_descriptor(home: Home, isocenter_cli: Cli, text: str, words: str) -> None:
    (home.root / "deployments").mkdir()
    (home.root / "deployments" / "a.json").write_text(text)
    done = isocenter_cli("target", "list")
    assert done.returncode == 3
    assert words in done.stderr


def test_a_wrong_descriptor_hides_no_other(home: Home, isocenter_cli: Cli) -> None:
    (home.root / "deployments").mkdir()
    (home.root / "deployments" / "a.json").write_text("{")
    (home.root / "deployments" / "b.json").write_text(json.dumps(DESCRIPTOR))
    done = isocenter_cli("target", "list", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 3
    assert "a.json" in json.dumps(told)
    assert DESCRIPTOR["name"] in json.dumps(told)
    shown = isocenter_cli("target", "list")
    assert DESCRIPTOR["name"] in shown.stdout
    assert "a.json" in shown.stderr
