"""A tiny pipeline, run as a user would: what the tests of the pipeline's verbs share."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_FOLDERS = Path(__file__).parents[1] / "pipelines" / "xray_folder.py"
TINY = (
    *("--set", "image_size=32", "--set", "network.arguments.widen_factor=0.25"),
    *("--set", "budget.batch_size=4", "--epochs", "12", "--threads", "1", "--processes", "1"),
)


def write_folder(out: Path, **options: Any) -> Path:
    """See ``tests/pipelines/xray_folder.py``."""
    spec = importlib.util.spec_from_file_location("xray_folder", _FOLDERS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Path = module.write_folder(out, **options)
    return found


def environment(store: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "ISOCENTER_DATABASE_URL"}
    return {**kept, "ISOCENTER_HOME": str(store), "OMP_NUM_THREADS": "1", **more}


def arguments(data: Path, *options: str) -> list[str]:
    return ["pipeline", "run", "--data", str(data / "dicom"), "--labels", str(data / "labels.csv"), *options]


def command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "isocenter.cli.main", *words]


def run(store: Path, words: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command line to its end on ``store``."""
    settings = {"env": environment(store), "capture_output": True, "text": True, "timeout": 600} | options
    return subprocess.run(command(words), check=False, **settings)


def run_json(store: Path, words: Sequence[str]) -> Any:
    """Run with ``--json``, expect success, and return what it printed."""
    done = run(store, [*words, "--json"])
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def start(store: Path, words: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
    """Start the command line on ``store``."""
    settings = {"env": environment(store), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(words), **(settings | options))


def wait_until(what: Callable[[], Any], *, seconds: float = 300) -> Any:
    """The first true value of ``what``."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return found
