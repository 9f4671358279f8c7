"""Run the measurements one after the other; each prints its own table of ratios.

    python bench/run.py [NAME ...]

A measurement that fails makes the exit code non-zero, after the others have run.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ORDER = ("startup", "records", "ingest", "time_to_auroc", "policy")
# Run when named: they need a GPU or Terraform's providers, take minutes, or look closer at one of ORDER.
OPTIONAL = ("backends", "tracking", "gpu_throughput", "ingest_decode", "mutations", "plan", "synth")


def main() -> int:
    """Run the named measurements (default: those of ``ORDER``) and say which failed."""
    if unknown := sorted({*sys.argv[1:]} - {*ORDER, *OPTIONAL}):
        print(f"No measurement: {', '.join(unknown)}. Known: {', '.join(ORDER + OPTIONAL)}", file=sys.stderr)
        return 2
    failed = []
    for name in sys.argv[1:] or ORDER:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, FOLDER / f"{name}.py"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
