"""How long it takes to register a model and to append to the audit trail, beside MLflow's registry.

    python bench/records.py [--runs 200] [--folder DIR] [--install] [--json]

SQLite with ``synchronous=FULL``: each commit waits for the disk. So beside ours stand a bare chained row and
one flushed write of 4 KiB. ``--folder`` says on which disk (default: the checkout's). ``--install`` makes
``.bench-venv`` with MLflow (by uv); without it that row is left out, and that is said.
Registering here means: version, card and signed audit record in one transaction, with the artifact published
before. MLflow's ``create_model_version`` writes a row and keeps no audit.
"""

import argparse
import hashlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from isocenter.audit import AuditTrail
from isocenter.cards import ModelCard
from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.audit_event import AuditEvent
from isocenter.home import Home, open_home
from isocenter.registry.models import ModelRegistry
from isocenter.storage.artifacts import ArtifactStore
from isocenter.storage.database import open_database

FOLDER = Path(__file__).parent
PEER_VENV = FOLDER.parent / ".bench-venv"
LONGEST_MS = {"audit append": 2.0, "register": 30.0}
RUN = "01JD0000000000000000000000"
DIGEST = "sha256:" + "d" * 64


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call: the median and the 95th percentile, and of the very first."""

    what: str
    who: str
    first: float
    median: float
    p95: float


def timing(what: str, who: str, call: Callable[[int], object], runs: int) -> Timing:
    """Time ``call(number)`` once, then ``runs`` times."""
    spent = []
    for number in range(runs + 1):
        begin = time.perf_counter()
        call(number)
        spent.append((time.perf_counter() - begin) * 1e3)
    later = sorted(spent[1:])
    return Timing(what, who, spent[0], statistics.median(later), later[int(len(later) * 0.95)])


def flushed_write(folder: Path, runs: int) -> Timing:
    with (folder / "flushed").open("ab") as file:

        def call(_: int) -> None:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())

        return timing("audit append", "flushed write", call, runs)


def bare_chain(folder: Path, runs: int) -> Timing:
    """A chained row and nothing else: no tree, no signature, no checks."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE records (sequence INTEGER PRIMARY KEY, body TEXT, hash TEXT)")
    last = ""

    def call(number: int) -> None:
        nonlocal last
        body = json.dumps({"actor": "bench", "action": "step.done", "number": number, "previous": last})
        last = hashlib.sha256(body.encode()).hexdigest()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO records (body, hash) VALUES (?, ?)", (body, last))
        connection.execute("COMMIT")

    found = timing("audit append", "bare chained row", call, runs)
    connection.close()
    return found


def audit_append(home: Home, runs: int) -> Timing:
    trail = AuditTrail(home, open_database(home))

    def call(number: int) -> None:
        details = {"run": RUN, "dataset": DIGEST, "number": number}
        trail.append(AuditEvent("bench", "step.done", f"step:{number}", details=details))

    return timing("audit append", "isocenter", call, runs)


def register(home: Home, folder: Path, runs: int) -> Timing:
    database = open_database(home)
    registry = ModelRegistry(home, database, AuditTrail(home, database))
    artifacts = [publish(home, folder / f"bundle-{number}") for number in range(runs + 1)]
    metrics = {name: {"value": 0.9, "low": 0.8, "high": 0.95} for name in ("auroc", "auprc", "brier")}

    def call(number: int) -> None:
        registry.register(
            "bench", artifacts[number], dataset_digest=DIGEST, run=RUN, metrics=metrics, card=ModelCard()
        )

    return timing("register", "isocenter", call, runs)


def publish(home: Home, bundle: Path) -> Artifact:
    bundle.mkdir()
    (bundle / "model.bin").write_text(bundle.name)
    return ArtifactStore(home).publish(bundle, name="model", media_type=MediaType.BUNDLE)


def mlflow(folder: Path, runs: int) -> Timing | None:
    for python in (PEER_VENV / "bin" / "python", Path(sys.executable)):
        has = [python, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('mlflow') is None)"]
        if python.exists() and subprocess.run(has, check=False).returncode == 0:
            words = [str(part) for part in (python, FOLDER / "records_mlflow.py", folder, runs)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"MLflow failed:\n{done.stderr}")
            return Timing("register", "mlflow", **json.loads(done.stdout.splitlines()[-1]))
    print("NOT MEASURED: mlflow is not installed; --install makes .bench-venv", file=sys.stderr)
    return None


def install_peer() -> None:
    uv = Path(sys.executable).with_name("uv")
    python = PEER_VENV / "bin" / "python"
    subprocess.run(
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, PEER_VENV], check=True
    )
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "mlflow"], check=True
    )


def timings(folder: Path, runs: int) -> Iterator[Timing]:
    """All that can be measured here; ours first in each group."""
    os.environ["ISOCENTER_HOME"] = str(folder / "store")
    os.environ.pop("ISOCENTER_DATABASE_URL", None)
    home = open_home()
    yield audit_append(home, runs)
    yield bare_chain(folder, runs)
    yield flushed_write(folder, runs)
    few = max(10, runs // 5)
    yield register(home, folder, few)
    peer = mlflow(folder, few)
    if peer is not None:
        yield peer


def print_ratios(found: Sequence[Timing]) -> None:
    print(f"{'what':<13} {'who':<17} {'first ms':>9} {'median ms':>10} {'p95 ms':>8} {'ratio':>7}   at most")
    ours: dict[str, float] = {}
    for item in found:
        ratio = item.median / ours.setdefault(item.what, item.median)
        limit = ""
        if item.who == "isocenter":
            limit = f"{LONGEST_MS[item.what]:g} ms: {item.median / LONGEST_MS[item.what]:.2f} of it"
        times = f"{item.first:9.2f} {item.median:10.2f} {item.p95:8.2f}"
        print(f"{item.what:<13} {item.who:<17} {times} {ratio:6.2f}x   {limit}")


def main() -> None:
    """Measure and print; fail where a limit was passed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200, help="appends; a fifth as many registrations")
    parser.add_argument("--folder", type=Path, default=FOLDER.parent, help="a directory on the disk to use")
    parser.add_argument("--install", action="store_true", help="make .bench-venv with MLflow first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.install:
        install_peer()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=options.folder) as folder:
        found = list(timings(Path(folder), options.runs))
    if options.json:
        print(json.dumps([asdict(item) for item in found], indent=2))
    else:
        print_ratios(found)
    missed = [i.what for i in found if i.who == "isocenter" and i.median > LONGEST_MS[i.what]]
    if missed:
        sys.exit("Slower than wanted: " + ", ".join(missed))


if __name__ == "__main__":
    main()
