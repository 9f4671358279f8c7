"""`make plan CLOUD=aws EMULATE=1` beside terraform alone on the same JSON: what our layer adds.

    python bench/plan.py [--runs 3] [--json]

Both sides plan the same document against the same emulated AWS, whose state bucket is there already: ours is
the verb's whole process (synthesis, schema, parity, policy scan, terraform init and plan, summary), the other
is `terraform init` and `terraform plan` in a folder with the document that ours made.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from isocenter_infra.terraform.binary import environment, find_terraform
from isocenter_infra.terraform.plugins import find_provider

ROOT = Path(__file__).parents[1]


def ours(folder: Path) -> float:
    command = [sys.executable, "-m", "isocenter_infra", "plan", "--cloud", "aws", "--emulate", "--json"]
    begin = time.perf_counter()
    done = subprocess.run(
        [*command, "--outdir", str(folder / "out")],
        cwd=ROOT,
        env=os.environ | {"ISOCENTER_HOME": str(folder / "store")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"ours failed: {done.stdout[-300:]}{done.stderr[-500:]}")
    return time.perf_counter() - begin


def terraform_alone(folder: Path) -> float:
    provider = find_provider("aws", os.environ)
    assert provider is not None
    work = folder / "alone"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    shutil.copy(folder / "out" / "emulated" / "stacks" / "aws-example" / "cdk.tf.json", work)
    program = find_terraform(os.environ).path
    environ = environment() | {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated"}
    begin = time.perf_counter()
    for words in (
        ["init", f"-plugin-dir={provider.plugin_dir}"],
        ["plan", "-parallelism=20", "-out=plan.tfplan"],
    ):
        subprocess.run([program, *words], cwd=work, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if find_provider("aws", os.environ) is None:
        sys.exit("NOT MEASURED: the AWS provider is not on this machine (set TF_PLUGIN_DIR)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            ours(folder)  # starts the emulator and makes its state bucket
            pairs = [(ours(folder), terraform_alone(folder)) for _ in range(options.runs)]
        finally:
            known = folder / "store" / "emulators" / "aws-deployed.json"
            if known.exists():
                os.kill(json.loads(known.read_bytes())["pid"], signal.SIGKILL)
    mine, alone = (statistics.median(side) for side in zip(*pairs, strict=True))
    added = mine - alone
    if options.json:
        print(json.dumps({"ours": mine, "terraform": alone, "added": added, "ratio": mine / alone}))
        return
    print(f"make plan CLOUD=aws EMULATE=1   {mine:6.1f} s")
    print(f"terraform init and plan alone   {alone:6.1f} s")
    print(f"our layer adds                  {added:6.1f} s, {100 * added / alone:.0f} %")


if __name__ == "__main__":
    main()
