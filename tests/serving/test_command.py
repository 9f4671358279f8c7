"""``python -m isocenter_serving predict`` as a user or the platform starts it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from isocenter.domain.digest import digest_tree


def predict(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "isocenter_serving", "predict", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_prints_a_json_list(registered: Path, files: list[Path]) -> None:
    digest = digest_tree(registered)
    done = predict(
        "--bundle", registered, "--digest", digest, "--name", "cxr", "--number", 3, "--json", *files[:3]
    )
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)
    assert [answer["file"] for answer in answers] == [str(path) for path in files[:3]]
    assert set(answers[0]) == {"file", "score", "decision", "threshold", "model", "version", "digest"}
    assert answers[0]["digest"] == digest
    assert all(0 <= answer["score"] <= 1 for answer in answers)


def test_refused_files_end_with_3_and_others_are_answered(
    registered: Path, files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("no DICOM")
    done = predict("--bundle", registered, "--json", tmp_path / "note.txt", files[0], tmp_path / "absent.dcm")
    assert done.returncode == 3
    first, second, third = json.loads(done.stdout)
    assert (first["refused"], third["refused"]) == ("not-dicom", "unreadable")
    assert third["message"] == "The file does not exist."
    assert first["message"]
    assert "score" in second


def test_folders_are_walked_and_positions_hide_names(
    registered: Path, files: list[Path], tmp_path: Path
) -> None:
    for number, path in enumerate(files[:4]):
        copy = tmp_path / "study" / f"series{number % 2}" / f"CANARY{number}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "study" / ".hidden").write_text("")
    (tmp_path / "study" / "DICOMDIR").write_text("")
    (tmp_path / "study" / "loop").symlink_to(tmp_path / "study")
    done = predict("--bundle", registered, "--json", "--by-position", tmp_path / "study")
    assert done.returncode == 0
    assert [answer["file"] for answer in json.loads(done.stdout)] == [0, 1, 2, 3]
    assert "CANARY" not in done.stdout + done.stderr


def test_text_for_people(registered: Path, files: list[Path], tmp_path: Path) -> None:
    odd = tmp_path / "a\nb\x1b[31m\udcff.dcm"
    odd.write_bytes(files[0].read_bytes())
    (tmp_path / "empty").touch()
    done = predict("--bundle", registered, odd, tmp_path / "empty")
    assert done.returncode == 3
    scored, refused = done.stdout.splitlines()
    assert "\x1b" not in scored
    assert scored.split()[1] in ("normal", "pneumonia")
    assert "refused (empty-file)" in refused
    assert "1 scored, 1 refused" in done.stderr
    listed = predict("--bundle", registered, "--json", odd)
    assert os.fsencode(json.loads(listed.stdout)[0]["file"]) == os.fsencode(odd)


def test_a_folder_without_files(registered: Path, tmp_path: Path) -> None:
    done = predict("--bundle", registered, tmp_path)
    assert done.returncode == 3
    assert "no files" in done.stderr


def test_a_tampered_bundle_ends_with_6(bundle: Path, files: list[Path]) -> None:
    digest = digest_tree(bundle)
    with (bundle / "models" / "model.onnx").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"\x00\x01")
    done = predict("--bundle", bundle, "--digest", digest, "--json", files[0])
    assert done.returncode == 6
    assert json.loads(done.stdout)["error"]["code"] == "integrity"


def test_usage_errors_end_with_2(registered: Path) -> None:
    assert predict("--bundle", registered).returncode == 2
    assert predict("x.dcm").returncode == 2


def test_help_is_instant_and_has_an_example() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "isocenter_serving", "predict", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Example: python -m isocenter_serving predict" in done.stdout
    for heavy in ("numpy", "onnxruntime", "pydantic", "PIL", "rich"):
        assert f" {heavy}\n" not in done.stderr
