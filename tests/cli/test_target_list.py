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
