"""200 jobs that go on at once, looked at by one process: CPU of one refresh, and whether memory grows.

    python bench/tracking.py [aws gcp azure kubernetes] [--runs 200] [--rounds 20] [--json]

Each service is its emulator, a process of its own, whose CPU doesn't count; the jobs are sleeping processes.
A refresh is what `isocenter run list` does after it has read the records: every run's state, asked anew.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from isocenter.backends import load_backend
from isocenter.domain.run import new_run_id
from isocenter.domain.training_job import TrainingJob
from isocenter.home import open_home
from isocenter.targets import find_target

CLOUDS = ("aws", "gcp", "azure", "kubernetes")
AT_MOST_S = 1.0
CLI = (sys.executable, "-m", "isocenter.cli.main")


@dataclass(frozen=True)
class Row:
    """CPU seconds and wall seconds of a refresh (median), and MiB of memory after the first and last."""

    cloud: str
    runs: int
    cpu_s: float
    wall_s: float
    first_mib: float
    last_mib: float


def memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def emulate(cloud: str, *words: str, check: bool = True) -> str:
    command = [*CLI, "emulate", cloud, *words]
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def measure(cloud: str, runs: int, rounds: int, ending: Callable[[Callable[[], object]], object]) -> Row:
    said = json.loads(
        emulate(cloud, "--detach", "--json", "--program=sh", "--program=-c", "--program=exec sleep 900")
    )
    ending(lambda: emulate(cloud, "--stop", check=False))
    home = open_home()
    target = find_target(home, said["target"])
    backend = load_backend(target.backend, home, target.settings)
    job = TrainingJob("train", ("train",))
    handles = [backend.submit(backend.plan(job, new_run_id())) for _ in range(runs)]
    spent: list[tuple[float, float]] = []
    seen_mib: list[float] = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        states = [backend.status(handle).state for handle in handles]
        spent.append((time.process_time() - cpu, time.perf_counter() - wall))
        seen_mib.append(memory_mib())
        if any(state.is_final for state in states):
            sys.exit(f"{cloud}: a job has ended")
    middle = sorted(spent)[rounds // 2]
    return Row(cloud, runs, *middle, seen_mib[0], seen_mib[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clouds", nargs="*", default=CLOUDS)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the emulators are ended
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        os.environ |= {"ISOCENTER_HOME": f"{name}/store", "ISOCENTER_DEPLOYMENTS": f"{name}/deployments"}
        rows = [measure(cloud, options.runs, options.rounds, stack.callback) for cloud in options.clouds]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(f"{'service':12}{'runs':>6}{'CPU s':>8}{'wall s':>8}{'MiB first':>11}{'MiB last':>10}")
        for row in rows:
            print(
                f"{row.cloud:12}{row.runs:6}{row.cpu_s:8.2f}{row.wall_s:8.2f}"
                f"{row.first_mib:11.1f}{row.last_mib:10.1f}"
            )
        print(f"{'at most':18}{AT_MOST_S:8.2f}")
    slow = [row.cloud for row in rows if row.cpu_s > AT_MOST_S]
    if slow:
        sys.exit("Slower than wanted: " + ", ".join(slow))


if __name__ == "__main__":
    main()
