"""Buildah with a store of the tests' own, and the Debian that the images stand on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from image_building import Buildah, storage_driver

LACKS = "LACKS: "
BASE = "localhost/isocenter-base"
SUITE = "bookworm"
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_SPACE = 8 * 2**30


@pytest.fixture(scope="session")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """Buildah, with a store that is removed."""
    if not shutil.which("buildah") or not shutil.which("mmdebstrap") or os.getuid():
        pytest.skip(f"{LACKS}buildah and mmdebstrap, run as root: no image was built and run")
    root = tmp_path_factory.mktemp("image-store")
    if shutil.disk_usage(root).free < _SPACE:
        pytest.skip(f"{LACKS}8 GiB of free disk: no image was built and run")
    settings = {
        "CONTAINERS_STORAGE_CONF": str(root / "storage.conf"),
        "STORAGE_DRIVER": storage_driver(root),
        "BUILDAH_ISOLATION": "chroot",
        "TMPDIR": str(root),
        "ENGINE": "buildah",
    }
    (root / "storage.conf").write_text(
        f'[storage]\ndriver = "{settings["STORAGE_DRIVER"]}"\n'
        f'graphroot = "{root}/graph"\nrunroot = "{root}/run"\n'
    )
    found = Buildah(
        {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | settings
    )
    try:
        yield found
    finally:
        found("umount", "--all")
        found("rm", "--all")
        # buildah leaves its store mounted on itself, which nobody could remove.
        for name in ("overlay", ""):
            subprocess.run(["umount", str(root / "graph" / name)], capture_output=True, check=False)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def base(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian by mmdebstrap, from where this machine has its packages; with what both stages install."""
    folder = tmp_path_factory.mktemp("debian")
    sources = [str(_SOURCES)] if _SOURCES.exists() else []
    words = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates,python3-venv"]
    words += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    made = subprocess.run(
        [*words, SUITE, str(folder / "base.tar"), *sources], capture_output=True, text=True, timeout=300
    )
    if made.returncode:
        pytest.skip(f"{LACKS}Debian's packages for mmdebstrap: no image was built and run")
    (folder / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    buildah("build", "--quiet", "--layers=false", "--tag", BASE, str(folder))
    shutil.rmtree(folder)
    return BASE
