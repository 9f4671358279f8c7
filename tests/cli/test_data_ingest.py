"""`isocenter data ingest` as a shell sees it: output, exit codes, what is written where."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.home import Home

Cli = Callable[..., subprocess.CompletedProcess[str]]
CANARY = "CANARY"


def _builder() -> type:
    path = Path(__file__).parents[1] / "datasets" / "dicom_files.py"
    spec = importlib.util.spec_from_file_location("dicom_files_of_cli", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Xray  # type: ignore[no-any-return]


Xray = _builder()


def write_folders(root: Path, per_class: int = 3) -> Path:
    for folder in ("normal", "pneumonia"):
        for number in range(per_class):
            name = f"{folder}{number}"
            Xray(name, patient=name).write(root / folder / f"{CANARY}{number}.dcm")
    return root


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    return write_folders(tmp_path / "source")


@pytest.mark.parametrize("what", ["source", "labels"])
def test_what_can_not_be_read_is_bad_input(
    folders: Path,
    tmp_path: Path,
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    """The tests may run as root, whom no permission stops: the system's refusals are acted."""
    from isocenter.cli.main import main

    (tmp_path / "labels.csv").write_text("PatientID,label\nx,0\ny,1\n")
    denied = folders if what == "source" else tmp_path / "labels.csv"
    for module, name in ((os, "access"), (os, "scandir"), (Path, "read_bytes")):
        monkeypatch.setattr(module, name, _denying(denied, name, getattr(module, name)))
    with pytest.raises(SystemExit) as ended:
        main(["data", "ingest", str(folders), "--labels", str(tmp_path / "labels.csv")])
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert ("permissions of the source (SRC" if what == "source" else "labels file can't be read") in said


def _denying(denied: Path, name: str, honest: Callable[..., object]) -> Callable[..., object]:
    def act(path: object = ".", *rest: object, **named: object) -> object:
        if isinstance(path, str | Path) and Path(path).resolve() == denied:
            if name == "access":
                return False
            raise PermissionError(13, "Permission denied")
        return honest(path, *rest, **named)

    return act


def test_real_xrays_with_labels(tmp_path: Path, shared_data: Path, home: Home, isocenter_cli: Cli) -> None:
    script = shared_data.parent / "bin" / "cxr_to_dicom.py"
    archive = shared_data / "cxr" / "chest_xray_224_train.tar"
    command = [sys.executable, script, archive, tmp_path / "set", "--count", "60", "--size", "64"]
    subprocess.run(command, check=True, capture_output=True)
    arguments = ("data", "ingest", tmp_path / "set" / "dicom", "--labels", tmp_path / "set" / "labels.csv")
    first = isocenter_cli(*arguments, "--size", 32, "--json")
    assert first.returncode == 0, first.stderr
    facts = json.loads(first.stdout)
    assert (facts["images"], facts["decoded"], facts["quarantined"]) == (60, 60, {})
    assert Path(facts["path"]).name == facts["digest"].removeprefix("sha256:")
    again = isocenter_cli(*arguments, "--size", 32)
    assert again.returncode == 0
    assert "unchanged" in again.stdout
    assert "0 files read now, 60 before" in again.stdout
    shown = isocenter_cli("data", "show", "--html", tmp_path / "report.html", "--verify")
    assert shown.returncode == 0, shown.stderr
    for expected in ("Borealis Imaging Polar 7", "validation", "share of pneumonia", "AP", "verified"):
        assert expected in shown.stdout
    everything = (first, again, shown)
    assert CANARY not in "".join(run.stdout + run.stderr for run in everything)
    assert CANARY not in (tmp_path / "report.html").read_text()
    actions = [record["action"] for record in audit_records(home)]
    assert actions == ["dataset.ingest", "dataset.report"]


def audit_records(home: Home) -> list[dict[str, object]]:
    from isocenter.audit.trail import AuditTrail
    from isocenter.storage.database import open_database

    database = open_database(home)
    try:
        trail = AuditTrail(home, database)
        assert trail.verify().problems == ()
        return [{"action": record.action} for record in reversed(trail.list())]
    finally:
        database.close()


def test_text_goes_out_and_progress_goes_to_standard_error(
    folders: Path, home: Home, isocenter_cli: Cli
) -> None:
    run = isocenter_cli("data", "ingest", folders, "--size", 16)
    assert run.returncode == 0
    assert run.stdout.startswith("Dataset sha256:")
    assert "6 images of 6 patients; 6 files read now, 0 before, 0 duplicates" in run.stdout
    assert "Reading" not in run.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("nowhere",), 3, "does not exist"),
        (("empty",), 3, "holds no files"),
        (("only",), 3, "Only one class is there: normal"),
        (("three",), 3, "a third class?"),
        (("source", "--labels", "absent.csv"), 3, "labels file does not exist"),
        (("source", "--labels", "third.csv"), 3, "more than the classes"),
        (("source", "--labels", "strangers.csv"), 3, "None of the files can be used: 6 no-label"),
        (("source", "--classes", "one"), 2, "two names"),
        (("source", "--classes", "same,Same"), 3, "Two different class names"),
        (("source", "--classes", "cat,dog"), 3, "None of the files can be used"),
        (("source", "--size", "1"), 3, "image size"),
        (("source", "--size", "huge"), 2, "not a valid integer"),
        (("source", "--processes", "0"), 2, "processes"),
        ((), 2, "SRC"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path,
    folders: Path,
    home: Home,
    isocenter_cli: Cli,
    arguments: tuple[str, ...],
    exit_code: int,
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    Xray("x", patient="x").write(tmp_path / "only" / "normal" / "x.dcm")
    for number, name in enumerate(("normal", "pneumonia", f"{CANARY} Doe")):
        Xray("x", patient=str(number)).write(tmp_path / "three" / name / "x.dcm")
    (tmp_path / "third.csv").write_text("PatientID,label\n1,0\n2,1\n3,2\n")
    (tmp_path / "strangers.csv").write_text("PatientID,label\n1,0\n2,1\n")
    run = isocenter_cli("data", "ingest", *arguments, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (exit_code, "")
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert CANARY not in run.stderr
    assert not list(home.datasets.glob("*"))


def test_errors_are_json_under_json(home: Home, isocenter_cli: Cli) -> None:
    run = isocenter_cli("data", "ingest", "nowhere", "--json")
    assert run.returncode == 3
    assert json.loads(run.stdout)["error"]["code"] == "bad-input"


def test_paths_of_files_set_aside_only_when_asked(folders: Path, home: Home, isocenter_cli: Cli) -> None:
    (folders / "normal" / f"{CANARY}\nÜ.dcm").write_text("no image" * 100)
    quiet = isocenter_cli("data", "ingest", folders, "--size", 16)
    assert CANARY not in quiet.stdout + quiet.stderr
    assert "not-dicom" in quiet.stdout
    listed = isocenter_cli("data", "ingest", folders, "--size", 16, "--list-quarantine", "--json")
    assert json.loads(listed.stdout)["quarantined_files"] == [
        {
            "file": f"normal/{CANARY}\\nÜ.dcm",
            "reason": "not-dicom",
            "sentence": json.loads(listed.stdout)["quarantined_files"][0]["sentence"],
        }
    ]
    shown = isocenter_cli("data", "show", "--source", folders)
    assert f"{CANARY}\\nÜ.dcm" in shown.stdout
    assert CANARY not in isocenter_cli("data", "show").stdout


@pytest.fixture
def unprivileged() -> Cli:
    """Runs the command line bound by file permissions: as root that takes away two capabilities."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode:
            pytest.skip(
                "LACKS: setpriv with CAP_SETPCAP, to test unreadable files as root; run as a plain user"
            )

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-m", "isocenter.cli.main", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_what_may_not_be_read_is_set_aside(folders: Path, home: Home, unprivileged: Cli) -> None:
    secret, closed = folders / "normal" / "secret.dcm", folders / "closed"
    secret.write_bytes((folders / "normal" / f"{CANARY}0.dcm").read_bytes())
    secret.chmod(0)
    closed.mkdir(mode=0)
    run = unprivileged("data", "ingest", folders, "--size", 16, "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["quarantined"] == {"unreadable": 1, "unreadable-folder": 1}
    # Once it may be read, it is, though nothing about the file's content or time changed.
    secret.chmod(0o644)
    closed.chmod(0o755)
    facts = json.loads(unprivileged("data", "ingest", folders, "--size", 16, "--json").stdout)
    assert (facts["quarantined"], facts["decoded"], facts["duplicates"]) == ({}, 1, 1)


def test_a_store_that_may_not_be_written(
    tmp_path: Path, folders: Path, unprivileged: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "closed store"
    store.mkdir(mode=0o555)
    monkeypatch.setenv("ISOCENTER_HOME", str(store))
    run = unprivileged("data", "ingest", folders)
    assert (run.returncode, "not writable" in run.stderr) == (7, True), run.stderr


def test_a_folder_of_the_store_that_may_not_be_written(folders: Path, home: Home, unprivileged: Cli) -> None:
    home.ingests.mkdir(mode=0o555)
    run = unprivileged("data", "ingest", folders)
    assert (run.returncode, "store can't be read or written" in run.stderr) == (7, True), run.stderr
