"""A service that is killed or forgets a job in the middle of a run, as a user's terminal shows it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from emulated import emulator
from pipeline_runs import TINY, arguments, run, run_json, start, wait_until, write_folder

pytestmark = pytest.mark.slow
# A job that ends when it is told to.
SLEEPS = ["/bin/sh", "-c", "exec sleep 900"]


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return arguments(write_folder(tmp_path_factory.mktemp("data"), patients=60, signal=0.7), *TINY)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOCENTER_DEPLOYMENTS", str(tmp_path / "store" / "deployments"))
    return tmp_path / "store"


@contextmanager
def going(store: Path, words: list[str], cloud: str) -> Iterator[tuple["subprocess.Popen[str]", str, Path]]:
    """A pipeline whose job runs, the id of its run, and the file of what it says."""
    said = store / "said"
    with said.open("w") as stream:
        process = start(store, [*words, "--target", f"{cloud}-emulated", "--json"], stderr=stream)

        def running() -> str:
            assert process.poll() is None, said.read_text()
            found = run_json(store, ["run", "list"])
            return str(found[0]["id"]) if found and found[0]["state"] == "running" else ""

        try:
            yield process, wait_until(running), said
        finally:
            process.kill()
            process.communicate()


def end_moto(store: Path) -> None:
    """As a restart of the machine would."""
    state = store / "emulators" / "aws" / "moto.json"
    address = json.loads(state.read_bytes())["address"]
    state.unlink()
    wait_until(lambda: not answers(address))


def answers(address: str) -> bool:
    try:
        urlopen(f"{address}/moto-api/config", timeout=5).close()
    except OSError:
        return False
    return True


def ended(process: "subprocess.Popen[str]", said: Path) -> tuple[int, str]:
    """Its exit code and what it said, a minute at most from now: ten are given to a service that is away."""
    printed, _ = process.communicate(timeout=60)
    return process.returncode, said.read_text() + printed


def state_of(store: Path, run_id: str) -> Any:
    return run_json(store, ["run", "show", run_id])["state"]


def test_a_killed_aws_is_found_again_with_its_jobs(store: Path, words: list[str]) -> None:
    with emulator("aws", store, SLEEPS) as first:
        assert first["state"] == "new"
        with going(store, words, "aws") as (process, run_id, said):
            os.kill(first["pid"], signal.SIGKILL)
            wait_until(lambda: "can't be reached" in said.read_text(), seconds=60)
            assert "Asking again for 10 min." in said.read_text()
            with emulator("aws", store, SLEEPS) as second:
                assert (second["state"], second["endpoints"]) == ("kept", first["endpoints"])
                wait_until(lambda: "An answer, after" in said.read_text(), seconds=60)
                assert process.poll() is None
                cancelled = run(store, ["run", "cancel", run_id])
                assert cancelled.returncode == 0, cancelled.stderr
                code, text = ended(process, said)
                assert (code, state_of(store, run_id)) == (5, "cancelled"), text


def test_what_aws_held_in_memory_is_said_to_be_gone(store: Path, words: list[str]) -> None:
    with emulator("aws", store, SLEEPS) as first, going(store, words, "aws") as (process, run_id, said):
        os.kill(first["pid"], signal.SIGKILL)
        end_moto(store)
        with emulator("aws", store, SLEEPS) as second:
            assert second["state"] == "new"
            code, text = ended(process, said)
        assert code == 5, text
        assert "the emulator was ended in the middle, and what it held in memory is gone" in text
        assert state_of(store, run_id) == "failed"


def test_a_job_that_the_service_has_no_more_ends_its_run(store: Path, words: list[str]) -> None:
    with emulator("aws", store, SLEEPS) as printed, going(store, words, "aws") as (process, run_id, said):
        reset(printed["endpoints"]["aws"])
        code, text = ended(process, said)
        assert code == 5, text
        assert "The train job is lost. aws-emulated has no job " in text
        assert "The same command again has it done anew." in text
        assert state_of(store, run_id) == "failed"


def test_a_run_of_such_a_job_can_be_cancelled(store: Path, words: list[str]) -> None:
    with emulator("aws", store, SLEEPS) as printed:
        with going(store, words, "aws") as (process, run_id, _):
            process.kill()
            process.wait()
        reset(printed["endpoints"]["aws"])
        cancelled = run(store, ["run", "cancel", run_id], timeout=60)
        assert (cancelled.returncode, state_of(store, run_id)) == (0, "cancelled"), cancelled.stderr
        assert "has no job" in cancelled.stderr


def test_a_run_of_a_service_that_is_away_cant_be_cancelled(store: Path, words: list[str]) -> None:
    """Nobody knows whether the job goes on."""
    with emulator("aws", store, SLEEPS), going(store, words, "aws") as (process, run_id, _):
        process.kill()
        process.wait()
    refused = run(store, ["run", "cancel", run_id], timeout=60)
    assert (refused.returncode, state_of(store, run_id)) == (7, "running")
    assert "can't be reached" in refused.stderr


def test_on_google_cloud(store: Path, words: list[str]) -> None:
    """Its jobs lie on disk: they are gone only where the folder is."""
    pytest.importorskip("google.cloud.aiplatform", reason="LACKS: pip install 'isocenter[gcp-emulator]'")
    with emulator("gcp", store, SLEEPS) as first, going(store, words, "gcp") as (process, run_id, said):
        os.kill(first["pid"], signal.SIGKILL)
        wait_until(lambda: "can't be reached" in said.read_text(), seconds=60)
        jobs = store / "emulators" / "gcp" / "jobs"
        (folder,) = (path for path in jobs.iterdir() if path.is_dir())
        folder.rename(store / "aside")
        with emulator("gcp", store, SLEEPS) as second:
            assert second["state"] == "kept"
            code, text = ended(process, said)
        assert code == 5, text
        assert "The train job is lost. gcp-emulated has no job " in text
        assert state_of(store, run_id) == "failed"
        stop_processes(store / "aside")
        shutil.rmtree(store / "aside")


def stop_processes(folder: Path) -> None:
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            inside = path.resolve().is_relative_to(folder)
        except OSError:
            continue
        if inside:
            os.kill(int(path.parent.name), signal.SIGKILL)


def reset(address: str) -> None:
    urlopen(Request(f"{address}/moto-api/reset", method="POST"), timeout=30).close()
