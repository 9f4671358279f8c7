"""How long `make policy` takes on every synthesized stack, beside checkov's own command on the same files.

    python bench/policy.py [--runs 5] [--stacks infra/cdktf.out/stacks] [--json]

Both run in ``.venv-policies``, in turn, after one run each that is not counted. Times are of whole processes,
the best and the median. `make policy` runs the HIPAA pack: our rules, and of checkov's those that count;
checkov's command runs all of its own checks and none of ours. Ours reads JSON as JSON, loads only the checks
that it runs, follows no variables and loads no network client: that is where the difference comes from.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST_S = 5.0
# make answers 2 for any failure of what it runs; open findings are none of this measurement's business.
FINISHED = {"make policy": (0, 2), "checkov": (0, 1)}


@dataclass(frozen=True)
class Timing:
    """Seconds of whole processes: the best and the median of all runs."""

    who: str
    stacks: int
    best: float
    median: float


def commands(stacks: Path, files: Sequence[Path]) -> dict[str, list[str]]:
    """What is measured, ours first."""
    quiet = ["--framework", "terraform_json", "--skip-download", "--quiet", "--compact"]
    named = [word for file in files for word in ("-f", str(file))]
    return {
        "make policy": ["make", "--no-print-directory", "policy", f"STACKS={stacks}", "DEPLOYMENTS="],
        "checkov": [str(ROOT / ".venv-policies/bin/checkov"), *named, *quiet],
    }


def seconds(who: str, words: Sequence[str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begin
    if done.returncode not in FINISHED[who] or "Traceback" in done.stderr:
        sys.exit(f"{who} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return taken


def measure(stacks: Path, files: Sequence[Path], runs: int) -> list[Timing]:
    words = commands(stacks, files)
    taken: dict[str, list[float]] = {who: [] for who in words}
    for number in range(runs + 1):
        for who in words:
            found = seconds(who, words[who])
            if number:
                taken[who].append(found)
    return [Timing(who, len(files), min(times), statistics.median(times)) for who, times in taken.items()]


def main() -> None:
    """Measure and print; fail where the limit was passed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--stacks", type=Path, default=ROOT / "infra/cdktf.out/stacks")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    stacks = options.stacks.resolve()
    files = sorted(stacks.glob("*/cdk.tf.json"))
    if not files:
        print(f"NOT MEASURED: no synthesized stack in {stacks}; `make synth CLOUD=...` makes one")
        return
    found = measure(stacks, files, options.runs)
    if options.json:
        print(json.dumps([asdict(timing) for timing in found], indent=2))
    else:
        print(f"{len(files)} stacks: {', '.join(file.parent.name for file in files)}")
        print(f"{'who':<12} {'best s':>8} {'median s':>9} {'ratio':>7}   at most")
        for timing in found:
            limit = f"{LONGEST_S:g} s" if timing is found[0] else ""
            ratio = timing.median / found[0].median
            print(f"{timing.who:<12} {timing.best:8.2f} {timing.median:9.2f} {ratio:6.1f}x   {limit}")
    if found[0].median > LONGEST_S:
        sys.exit(f"Slower than wanted: {found[0].median:.1f} s")


if __name__ == "__main__":
    main()
