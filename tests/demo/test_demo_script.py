"""What ``make demo`` says, with a stand-in for the command line."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "demo.sh"
STUB = """#!/bin/sh
if [ "$1" = demo ]; then
  mkdir -p "$3/unseen" "$3/dicom"; touch "$3/unseen/normal.dcm" "$3/unseen/pneumonia.dcm"
fi
echo "ran $1"
[ "$1" = emulate ] && echo "emulate $2 $3"
[ "$1" = pipeline ] && echo "$@"
exit 0
"""


def run(folder: Path, data: str, **more: str) -> str:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "isocenter").write_text(STUB)
    (folder / "bin" / "isocenter").chmod(0o755)
    settings = {"BIN": "bin", "DEMO": "out", "DATA": data, "LABELS": "", "CLASSES": "normal,pneumonia"} | more
    done = subprocess.run(
        ["bash", SCRIPT],
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("own", [False, True])
def test_a_wrong_call_on_a_phantom_is_not_passed_over(tmp_path: Path, own: bool) -> None:
    data = tmp_path / "own"
    data.mkdir()
    (data / "x.dcm").touch()
    said = run(tmp_path, str(data) if own else "")
    after = said[said.index("ran predict") :].splitlines()[1]
    assert ("file names tell what was drawn" in after) == (not own)
    assert ("sensitivity above" in after) == (not own)


def test_an_emulated_target_is_started_used_and_ended(tmp_path: Path) -> None:
    said = run(tmp_path, "", TARGET="gcp-emulated")
    assert "emulate gcp --detach" in said
    assert said.count("--target gcp-emulated") == 4  # two pipelines, each said and run
    assert said.splitlines()[-1] == "emulate gcp --stop"
    assert "emulate" not in run(tmp_path / "local", "", TARGET="local")
