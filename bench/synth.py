"""Synthesis of each full stack with cut bindings, beside plain cdktn on the same stack, in one run.

    python bench/synth.py [--runs 5] [--json]

Times are of whole processes (`python -m isocenter_infra synth`). Warm: caches are there. Cold: as after
installation, when jsii has not unpacked anything yet. Plain is the same program with the bindings as their
packages bring them. The documents must be the same to the byte.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLOUDS = ("aws", "gcp", "azure", "onprem")
WARM_S, COLD_S = 3.0, 5.0


@dataclass(frozen=True)
class Row:
    """Seconds of one stack's synthesis: ours and plain cdktn's."""

    cloud: str
    resources: int
    warm: float
    cold: float
    plain_warm: float
    plain_cold: float

    @property
    def ratio(self) -> float:
        return self.plain_warm / self.warm


def synth(cloud: str, outdir: Path, cache: Path, *, whole: bool) -> tuple[float, bytes, int]:
    command = [sys.executable, "-m", "isocenter_infra", "synth", "--cloud", cloud, "--json"]
    command += ["--outdir", str(outdir), *(["--whole-bindings"] if whole else [])]
    own = {"ISOCENTER_HOME": str(outdir / "store"), "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(cache)}
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, check=False)
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit(f"{cloud}: {done.stderr.decode()}")
    said = json.loads(done.stdout)
    return seconds, Path(said["path"]).read_bytes(), said["resources"]


def measure(cloud: str, folder: Path, runs: int) -> Row:
    found: dict[bool, tuple[float, float]] = {}
    texts = set()
    for whole in (False, True):
        cache = folder / f"{cloud}-{whole}"
        cold, text, resources = synth(cloud, folder, cache, whole=whole)
        texts.add(text)
        warm = []
        for _ in range(max(2, runs // 2) if whole else runs):
            seconds, text, _ = synth(cloud, folder, cache, whole=whole)
            warm.append(seconds)
            texts.add(text)
        found[whole] = statistics.median(warm), cold
        shutil.rmtree(cache, ignore_errors=True)
    if len(texts) != 1:
        sys.exit(f"{cloud}: cut and whole bindings give different documents")
    return Row(cloud, resources, *found[False], *found[True])


def show(rows: Sequence[Row]) -> None:
    heads = f"{'warm s':>9}{'cold s':>9}{'plain warm':>12}{'plain cold':>12}{'ratio':>8}"
    print(f"{'stack':8}{'resources':>10}{heads}")
    for row in rows:
        print(
            f"{row.cloud:8}{row.resources:10}{row.warm:9.2f}{row.cold:9.2f}"
            f"{row.plain_warm:12.2f}{row.plain_cold:12.2f}{row.ratio:7.1f}x"
        )
    print(f"at most {'':10}{WARM_S:9.2f}{COLD_S:9.2f}; the documents are the same to the byte")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(cloud, Path(folder), options.runs) for cloud in CLOUDS]
    if options.json:
        print(json.dumps([asdict(row) | {"ratio": row.ratio} for row in rows], indent=2))
    else:
        show(rows)
    slow = [row.cloud for row in rows if row.warm > WARM_S or row.cold > COLD_S]
    if slow:
        sys.exit("Slower than wanted: " + ", ".join(slow))


if __name__ == "__main__":
    main()
