"""From the command to the container's first line, on each emulated service, beside the bare SDK in one run.

    python bench/backends.py [aws gcp azure kubernetes] [--runs 5] [--json]

Ours is `isocenter pipeline run` with a new seed on data ingested and staged before: arguments, store, cache,
plan, audit, submit. The bare SDK is the script that a user would write: import, is the input there,
create the same job. Both are whole processes; the container's program writes down when it began.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
CLOUDS = ("aws", "gcp", "azure", "kubernetes")
AT_MOST = 1.3
CLI = (sys.executable, "-m", "isocenter.cli.main")
FIRST_LINE = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(time.time())); sys.exit(1)"


@dataclass(frozen=True)
class Row:
    """Median seconds to the container's first line."""

    cloud: str
    ours: float
    bare: float

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


def isocenter(*words: object, check: bool = True) -> str:
    return subprocess.run([*CLI, *map(str, words)], check=check, capture_output=True, text=True).stdout


def until_first_line(command: Sequence[str], mark: Path) -> float:
    """Seconds from starting ``command`` to the container's first line; waits for the command to end."""
    mark.unlink(missing_ok=True)
    begun = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    deadline = time.monotonic() + 60
    while not mark.exists() or not mark.read_text():
        if time.monotonic() > deadline:
            sys.exit(f"No container began. {done.stderr}")
        time.sleep(0.02)
    return float(mark.read_text()) - begun


def measure(cloud: str, folder: Path, runs: int, ending: Callable[[Callable[[], object]], object]) -> Row:
    mark = folder / f"{cloud}.mark"
    program = (sys.executable, "-c", FIRST_LINE, mark)
    said = json.loads(
        isocenter("emulate", cloud, "--detach", "--json", *(f"--program={word}" for word in program))
    )
    ending(lambda: isocenter("emulate", cloud, "--stop", check=False))
    ask = ["pipeline", "run", "--data", folder / "data/dicom", "--labels", folder / "data/labels.csv"]
    ask += ["--target", said["target"]]
    isocenter(*ask, "--seed", 999, check=False)  # ingests, stages, warms the caches; its container fails
    planned = json.loads(isocenter(*ask, "--dry-run"))
    dataset = isocenter("data", "list", "--json")
    planned["dataset"] = json.loads(dataset)[0]["digest"].removeprefix("sha256:")
    (folder / "planned.json").write_text(json.dumps(planned))
    ours, bare = [], []
    for number in range(runs):
        command = [*CLI, *map(str, ask), "--seed", str(number)]
        ours.append(until_first_line(command, mark))
        command = [
            sys.executable,
            str(FOLDER / "backends_bare.py"),
            said["descriptor"],
            str(folder / "planned.json"),
        ]
        bare.append(until_first_line([*command, f"{number}-{os.getpid()}"], mark))
    return Row(cloud, statistics.median(ours), statistics.median(bare))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clouds", nargs="*", default=CLOUDS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the emulators are ended
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        os.environ |= {"ISOCENTER_HOME": f"{folder}/store", "ISOCENTER_DEPLOYMENTS": f"{folder}/deployments"}
        isocenter("demo", "--out", folder / "data", "--patients", 40, "--size", 128)
        rows = [measure(cloud, folder, options.runs, stack.callback) for cloud in options.clouds]
    if options.json:
        print(json.dumps([asdict(row) | {"ratio": row.ratio} for row in rows], indent=2))
    else:
        print(f"{'to the first line':20}{'ours s':>9}{'bare SDK s':>12}{'ratio':>8}")
        for row in rows:
            print(f"{row.cloud:20}{row.ours:9.2f}{row.bare:12.2f}{row.ratio:7.2f}x")
        print(f"{'at most':20}{'':21}{AT_MOST:7.2f}x")
    slow = [row.cloud for row in rows if row.ratio > AT_MOST]
    if slow:
        sys.exit("Slower than wanted: " + ", ".join(slow))


if __name__ == "__main__":
    main()
