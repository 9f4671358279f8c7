"""How long the command line takes to start, and three trivial local steps, beside metaflow and kfp.local.

    python bench/startup.py [--runs 15] [--install] [--json]

``--install`` makes ``.bench-venv`` with metaflow and kfp (by uv); peers that are neither there nor in this
environment are left out, and that is said. Times are of whole processes, the smallest and the median of all
runs, after one run that is not counted. Isocenter's three steps run on a store that exists already and are
never cached: each is a supervised process, recorded, audited and in the lineage; a peer's is what that peer
does. metaflow has no ``--version``; its ``--help`` stands for it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
PEER_VENV = FOLDER.parent / ".bench-venv"
VERSION = {"metaflow": ["--help"], "kfp": ["--version"]}
LONGEST_S = {"version": 0.25, "three steps": 0.5}

Command = Callable[[int], Sequence[object]]
"""The words of the command for the run of this number."""


@dataclass(frozen=True)
class Timing:
    """Seconds of whole processes: the best and the median of all runs."""

    what: str
    who: str
    best: float
    median: float


def install_peers() -> None:
    uv, python = Path(sys.executable).with_name("uv"), PEER_VENV / "bin" / "python"
    make = [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, PEER_VENV]
    subprocess.run(make, check=True)
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
    subprocess.run([*install, *VERSION], check=True)


def python_with(package: str) -> Path | None:
    """A Python that has the package: that of ``.bench-venv``, else this one."""
    question = f"import importlib.util as u, sys; sys.exit(u.find_spec({package!r}) is None)"
    for python in (PEER_VENV / "bin" / "python", Path(sys.executable)):
        if python.exists() and subprocess.run([python, "-c", question], check=False).returncode == 0:
            return python
    return None


def find_peers() -> Mapping[str, Path]:
    found = {peer: python_with(peer) for peer in VERSION}
    for peer, python in found.items():
        if python is None:
            print(f"NOT MEASURED: {peer} is not installed; --install makes .bench-venv", file=sys.stderr)
    return {peer: python for peer, python in found.items() if python is not None}


def measure(what: str, who: str, command: Command, runs: int, folder: Path) -> Timing:
    """Time ``command(number)`` in ``folder``, which is also the home directory and holds the store."""
    own = {"HOME": str(folder), "USERNAME": "bench", "ISOCENTER_HOME": str(folder / "store")}
    environment = {**os.environ, **own}
    seconds = []
    for number in range(runs + 1):
        words = [str(word) for word in command(number)]
        begin = time.perf_counter()
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False)
        seconds.append(time.perf_counter() - begin)
        if done.returncode:
            sys.exit(f"{who} ({what}) failed:\n{done.stdout.decode()}{done.stderr.decode()}")
    return Timing(what, who, min(seconds[1:]), statistics.median(seconds[1:]))


def timings(runs: int, folder: Path) -> Iterator[Timing]:
    """All that can be measured here; ours first in each group."""
    here, peers, few = Path(sys.executable), find_peers(), max(3, runs // 3)
    versions = {"isocenter": [here.with_name("isocenter"), "--version"]}
    versions |= {peer: [python.with_name(peer), *VERSION[peer]] for peer, python in peers.items()}
    for who, words in versions.items():
        count = runs if who == "isocenter" else few
        yield measure("version", who, lambda _, words=words: words, count, folder)
    ours = [here, FOLDER / "startup_steps.py"]
    yield measure("three steps", "isocenter", lambda number: [*ours, number], runs, folder)
    arguments = {"metaflow": ["run"], "kfp": []}
    for peer, python in peers.items():
        words = [python, FOLDER / f"startup_{peer}.py", *arguments[peer]]
        yield measure("three steps", peer, lambda _, words=words: words, few, folder)


def print_ratios(found: Sequence[Timing]) -> None:
    print(f"{'what':<12} {'who':<10} {'best s':>8} {'median s':>9} {'ratio':>7}   at most")
    ours: dict[str, float] = {}
    for timing in found:
        ratio = timing.median / ours.setdefault(timing.what, timing.median)
        limit = f"{LONGEST_S[timing.what]} s" if timing.who == "isocenter" else ""
        times = f"{timing.best:8.3f} {timing.median:9.3f}"
        print(f"{timing.what:<12} {timing.who:<10} {times} {ratio:6.1f}x   {limit}")


def main() -> None:
    """Measure and print; fail where a limit was passed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--install", action="store_true", help="make .bench-venv with the peers first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.install:
        install_peers()
    with tempfile.TemporaryDirectory(prefix="isocenter-bench-") as folder:
        found = list(timings(options.runs, Path(folder)))
    if options.json:
        print(json.dumps([asdict(timing) for timing in found], indent=2))
    else:
        print_ratios(found)
    missed = [t.what for t in found if t.who == "isocenter" and t.median > LONGEST_S[t.what]]
    if missed:
        sys.exit("Slower than wanted: " + "; ".join(missed))


if __name__ == "__main__":
    main()
