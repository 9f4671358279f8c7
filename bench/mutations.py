"""How many bad changes to our stacks parity catches, and our policy pack, and checkov's own checks alone.

    python bench/mutations.py [--cloud aws --cloud gcp ...] [--verbose] [--json]

Each change of ``tests/infra/mutations`` is made alone in a copy of the example's synthesized stack. It is
caught where something is said that isn't said of the stack as it is: a gap by parity, an open finding of
``make policy`` (the pack with its exceptions), a failed check of checkov's own, of which all run and none of
ours (``scan --rules built-in``). All documents of a cloud go through one process for each of the two.
``--verbose`` lists at the end what only we catch. It takes five minutes; it fails where one passes unseen.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from infra.mutations import Mutation  # noqa: E402
from infra.mutations.changing import changed, named  # noqa: E402
from infra_examples import example  # noqa: E402

from isocenter_infra.deployment import Deployment  # noqa: E402
from isocenter_infra.parity import check_parity  # noqa: E402
from isocenter_infra.synthesis import synthesize  # noqa: E402

CLOUDS = ("aws", "gcp", "azure")
FINISHED = (0, 8)  # 8: findings are open


@dataclass(frozen=True)
class Caught:
    """Who catches one change."""

    change: str
    parity: bool
    pack: bool
    built_in: bool

    @property
    def ours(self) -> bool:
        return self.parity or self.pack


def scanned(paths: Sequence[Path], rules: str) -> dict[Path, set[tuple[str, str]]]:
    """The open findings of each document: rule and resource."""
    python = ROOT / ".venv-policies/bin/python"
    words = [python, "-m", "isocenter_policies", "scan", *paths, "--json", "--rules", rules]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in FINISHED:
        sys.exit(f"The scan with the rules {rules!r} failed:\n{done.stderr[-2000:]}")
    found: dict[Path, set[tuple[str, str]]] = {path: set() for path in paths}
    for finding in json.loads(done.stdout)["findings"]:
        document = Path(finding["document"])
        if finding["state"] == "open" and document in found:
            found[document].add((finding["rule"], finding["resource"]))
    return found


def news(paths: Sequence[Path], rules: str) -> list[bool]:
    """Whether more is found in each document than in the first, which is the stack as it is."""
    found = scanned(paths, rules)
    return [bool(found[path] - found[paths[0]]) for path in paths[1:]]


def measure(cloud: str, folder: Path, say: Callable[[str], None]) -> list[Caught]:
    tables = import_module(f"infra.mutations.{cloud}")
    mutations: tuple[Mutation, ...] = (*tables.MUTATIONS, *tables.LEFT_TO_POLICY)
    document: dict[str, Any] = synthesize(Deployment(example(cloud)), lambda sentence: None).document
    documents = [document, *(changed(document, mutation)[0] for mutation in mutations)]
    paths = [folder / cloud / f"{number}" / "cdk.tf.json" for number in range(len(documents))]
    for path, content in zip(paths, documents, strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    say(f"{cloud}: {len(mutations)} changes")
    parity = [bool(check_parity(cloud, content)) for content in documents[1:]]
    caught = zip(mutations, parity, news(paths, "pack"), news(paths, "built-in"), strict=True)
    return [Caught(named(mutation), *seen) for mutation, *seen in caught]


def show(found: dict[str, list[Caught]]) -> None:
    heads = ("changes", "parity", "our pack", "together", "checkov alone")
    print(f"{'cloud':8}" + "".join(f"{head:>15}" for head in heads))
    everywhere = [row for each in found.values() for row in each]
    for cloud, rows in (*found.items(), ("all", everywhere)):
        counts = [sum(getattr(row, who) for row in rows) for who in ("parity", "pack", "ours", "built_in")]
        shares = "".join(f"{f'{count} ({100 * count / len(rows):.0f} %)':>15}" for count in counts)
        print(f"{cloud:8}{len(rows):15}{shares}")


def main() -> None:
    """Measure and print; fail where a change passes unseen."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cloud", action="append", choices=CLOUDS)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (ROOT / ".venv-policies/bin/python").exists():
        print("NOT MEASURED: the policy scanner isn't installed; `make .venv-policies/.installed` does it")
        return
    with tempfile.TemporaryDirectory() as name:
        found = {
            cloud: measure(cloud, Path(name), lambda line: print(line, file=sys.stderr))
            for cloud in options.cloud or CLOUDS
        }
    if options.json:
        print(json.dumps({cloud: [asdict(row) for row in rows] for cloud, rows in found.items()}, indent=2))
    else:
        show(found)
    if options.verbose and not options.json:
        print("\nOnly we catch:")
        for cloud, rows in found.items():
            print(*(f"  {cloud} {row.change}" for row in rows if row.ours and not row.built_in), sep="\n")
    unseen = [f"{cloud} {row.change}" for cloud, rows in found.items() for row in rows if not row.ours]
    if unseen:
        sys.exit("Nobody of ours catches:\n  " + "\n  ".join(unseen))


if __name__ == "__main__":
    main()
