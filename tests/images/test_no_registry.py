"""``make image`` where the base image's registry can't be reached says how to go on without it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("image", ["training", "serving"])
def test_it_names_the_base_and_how_to_give_another(tmp_path: Path, image: str) -> None:
    if not shutil.which("buildah") or os.getuid():
        pytest.skip("LACKS: buildah, run as root: no image was built")
    settings = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs", "TMPDIR": str(tmp_path)}
    store = tmp_path / "storage.conf"
    store.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    )
    base = "registry.invalid/debian:bookworm-slim"
    made = subprocess.run(
        ["make", "--silent", "image", f"IMAGE={image}", f"BASE={base}", "ENGINE=buildah"],
        cwd=REPOSITORY,
        env={**os.environ, **settings, "CONTAINERS_STORAGE_CONF": str(store)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode != 0
    assert f"The base image {base} can't be had" in made.stderr
    assert "make image BASE=" in made.stderr
    assert made.stdout == ""
