"""Starting an emulator as a process, and asking it for faults."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen


def post(address: str, path: str, /, **body: Any) -> None:
    """Ask an emulator for something of its own."""
    request = Request(f"{address}{path}", json.dumps(body).encode(), method="POST")
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def no_faults(address: str) -> None:
    """End all faults that were asked for."""
    with urlopen(Request(f"{address}/emulator/faults", method="DELETE"), timeout=10):
        pass


@contextmanager
def emulator(
    cloud: str, store: Path, program: Sequence[str], serving_program: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """``isocenter emulate CLOUD`` as a user's shell would start it: what it printed, as JSON."""
    words = [sys.executable, "-m", "isocenter.cli.main", "emulate", cloud, "--json"]
    words += [f"--program={word}" for word in program]
    words += [f"--serving-program={word}" for word in serving_program]
    process = subprocess.Popen(
        words,
        env=os.environ | {"ISOCENTER_HOME": str(store), "ISOCENTER_DEPLOYMENTS": str(store / "deployments")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        printed = ""
        while not printed.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"the emulator ended: {process.wait()}"
            printed += line
        yield json.loads(printed)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        process.stdout.close()
