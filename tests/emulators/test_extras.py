"""What `make setup EXTRAS=CLOUD-emulator` installs is enough to train on that emulated cloud."""

import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2] / "platform" / "pyproject.toml"


@pytest.mark.parametrize("cloud", ["aws", "gcp", "kubernetes"])
def test_an_emulators_extra_brings_its_targets(cloud: str) -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    assert f"isocenter[{cloud}]" in extras[f"{cloud}-emulator"]
