"""``python -m isocenter_policies``: ``scan`` documents, or list the ``rules``.

Exit codes: 0 nothing open; 3 a file can't be scanned; 6 nothing was checked; 8 findings are open.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter_policies.errors import ScanError, UnreadableError

if TYPE_CHECKING:
    from isocenter_policies.choice import Choice
    from isocenter_policies.scan import ScanResult

POLICIES = Path(__file__).parents[1]
_REFUSED = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ScanError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="isocenter-policies", description=__doc__)
    verbs = parser.add_subparsers(required=True)
    scan = verbs.add_parser("scan", help="hold the rules against Terraform JSON")
    scan.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a cdk.tf.json, or a folder of stacks"
    )
    scan.add_argument("--cloud", default="", metavar="CLOUD", help="only stacks of aws, gcp, azure or onprem")
    scan.add_argument("--name", default="", metavar="NAME", help="only the stacks of this deployment")
    scan.add_argument(
        "--deployments", type=Path, metavar="DIR",
        help="without --name, only stacks of deployments that have a settings file there",
    )  # fmt: skip
    scan.add_argument("--json", action="store_true", help="print JSON instead of a table")
    scan.add_argument("--sarif", type=Path, metavar="FILE", help="also write SARIF 2.1.0 to FILE")
    scan.add_argument(
        "--fail-on", choices=("low", "medium", "high", "critical"), default="low", metavar="SEVERITY",
        help="least severity that makes the exit code 8: low (default), medium, high, critical",
    )  # fmt: skip
    scan.add_argument(
        "--rules", choices=("pack", "own", "built-in"), default="pack",
        help="the pack's rules (default), only ours, or all of checkov's and none of ours",
    )  # fmt: skip
    scan.add_argument("--exceptions", type=Path, default=POLICIES / "exceptions.yaml", metavar="FILE")
    scan.add_argument("--pack", type=Path, default=POLICIES / "packs" / "hipaa.yaml", metavar="FILE")
    scan.set_defaults(run=_scan)
    rules = verbs.add_parser("rules", help="list the rules of a pack, as JSON lines")
    rules.add_argument("--pack", type=Path, default=POLICIES / "packs" / "hipaa.yaml", metavar="FILE")
    rules.set_defaults(run=_rules)
    return parser


def _scan(options: argparse.Namespace) -> int:
    from isocenter_policies.choice import Wanted, choose

    choice = choose(options.paths, Wanted(options.cloud, options.name, options.deployments))
    # What loads checkov comes after what can be refused without it.
    from isocenter_policies.catalogue import load_catalogue
    from isocenter_policies.exceptions import read_exceptions
    from isocenter_policies.pack import read_pack
    from isocenter_policies.scan import scan

    exceptions = () if options.rules == "built-in" else read_exceptions(options.exceptions)
    catalogue = load_catalogue(read_pack(options.pack), options.rules)
    result = scan(choice.documents, catalogue, exceptions, exceptions_file=options.exceptions)
    _report(result, choice, options)
    _tell(choice)
    return _REFUSED if result.open(options.fail_on) else 0


def _tell(choice: "Choice") -> None:
    """Beside the result and after it, on standard error: also who pipes the JSON away shall not miss it."""
    for path, why in choice.left_out.items():
        print(f"NOT SCANNED: {path}: {why}.", file=sys.stderr)
    for notice in choice.notices:
        print(f"NOTE: {notice}", file=sys.stderr)


def _report(result: "ScanResult", choice: "Choice", options: argparse.Namespace) -> None:
    if options.sarif:
        from isocenter_policies.reports.sarif import sarif

        text = json.dumps(sarif(result), indent=2) + "\n"
        try:
            options.sarif.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UnreadableError(f"{options.sarif} can't be written: {error.strerror}.") from error
    if options.json:
        from isocenter_policies.reports.document import as_json

        left_out = [{"path": str(path), "reason": why} for path, why in choice.left_out.items()]
        body = as_json(result, options.fail_on) | {"left_out": left_out, "notices": choice.notices}
        print(json.dumps(body, indent=2))
        return
    from rich.console import Console

    from isocenter_policies.reports.table import print_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    print_table(result, options.fail_on, console)


def _rules(options: argparse.Namespace) -> int:
    from isocenter_policies.catalogue import load_catalogue
    from isocenter_policies.pack import read_pack

    for rule in load_catalogue(read_pack(options.pack)).rules.values():
        print(json.dumps(vars(rule)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
