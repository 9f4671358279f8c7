"""Each rule of ours passes what keeps it and finds each single setting that breaks it."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from policies import cases_any, cases_aws, cases_azure, cases_gcp, cases_kubernetes
from policies.case import Case, referring
from policies.conftest import REPOSITORY, Scan

CASES = (
    *cases_any.CASES,
    *cases_aws.CASES,
    *cases_azure.CASES,
    *cases_gcp.CASES,
    *cases_kubernetes.CASES,
)
# So that something passes in a document with nothing else.
FILLER = {"aws_kms_key": {"filler": {"enable_key_rotation": True}}}
# For rules that ask in which region the deployment is.
PROVIDERS = {"aws": [{"region": "eu-central-1"}], "google": [{"region": "europe-west4"}]}


class Documents:
    """The documents of all cases, and where each body lies in them."""

    def __init__(self) -> None:
        self.shared: dict[str, dict[str, Any]] = defaultdict(dict)
        self.own: list[dict[str, Any]] = []

    def add(self, kind: str, name: str, body: Mapping[str, Any], beside: Mapping[str, Any]) -> str:
        """Place a body, return its address; what isn't a resource gets a document of its own."""
        if kind.startswith("provider."):
            first = [beside[kind]] if kind in beside else []
            self.own.append({"provider": {kind.removeprefix("provider."): [*first, {**body, "alias": name}]}})
        elif kind == "output":
            self.own.append({"output": {name: body}})
        elif kind == "terraform.backend":
            backend = body["type"]
            self.own.append(
                {"terraform": {"backend": {backend: {k: v for k, v in body.items() if k != "type"}}}}
            )
            return f"{len(self.own) - 1}:{kind}.{backend}"
        else:
            self.shared[kind][name] = body
            for other, neighbour in beside.items():
                self.shared[other][f"{name}_beside"] = referring(neighbour, f"{kind}.{name}")
        return f"{kind}.{name}"

    def write(self, folder: Path) -> list[Path]:
        paths = [folder / "shared.tf.json", *(folder / f"{n}.tf.json" for n in range(len(self.own)))]
        shared = {"resource": self.shared, "provider": PROVIDERS}
        for path, content in zip(paths, [shared, *self.own], strict=True):
            path.write_text(json.dumps({"resource": FILLER, **content}))
        return paths


class Verdicts:
    """What the scanner said of each body."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.kept, self.broken = set(), set()
        for number, file in enumerate(result["files"]):
            for rule, addresses in file["kept"].items():
                self.kept |= {(rule, place) for a in addresses for place in (a, f"{number - 1}:{a}")}
        order = {file["path"]: number - 1 for number, file in enumerate(result["files"])}
        for finding in result["findings"]:
            rule, address = finding["rule"], finding["resource"]
            self.broken |= {(rule, address), (rule, f"{order[finding['document']]}:{address}")}


Places = Mapping[int, tuple[str | None, Mapping[str, str]]]


@pytest.fixture(scope="module")
def scanned(policies: Scan, tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdicts, Places]:
    """All cases in one scan."""
    folder = tmp_path_factory.mktemp("cases")
    exceptions = folder / "exceptions.yaml"
    exceptions.write_text("[]")
    documents, places = Documents(), {}
    for number, case in enumerate(CASES):
        good = None
        if case.good is not None:
            good = documents.add(case.kind, f"good_{number}", case.good, case.beside)
        bad = {
            path: documents.add(case.kind, f"bad_{number}_{index}", body, case.bad_beside)
            for index, (path, body) in enumerate(case.bad_bodies())
        }
        places[number] = good, bad
    paths = documents.write(folder)
    done = policies("scan", *paths, "--rules", "own", "--json", "--exceptions", exceptions)
    assert done.returncode == 8, done.stderr
    return Verdicts(json.loads(done.stdout)), places


@pytest.fixture(scope="module")
def ids(rules: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
    """A rule's file, without the ending -> its id."""
    ours = {id_: rule for id_, rule in rules.items() if id_.startswith("ISO_")}
    return {
        str(Path(rule["file"]).relative_to("policies").with_suffix("")): id_ for id_, rule in ours.items()
    }


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{c.rule}-{c.kind}" for c in CASES])
def test_a_rule_passes_what_keeps_it_and_finds_what_breaks_it(
    number: int, scanned: tuple[Verdicts, Places], ids: Mapping[str, str]
) -> None:
    verdicts, places = scanned
    case: Case = CASES[number]
    rule, (good, bad) = ids[case.rule], places[number]
    if good is not None:
        assert (rule, good) in verdicts.kept, "what keeps the rule did not pass"
    assert bad, "nothing breaks the rule"
    missed = [path for path, place in bad.items() if (rule, place) not in verdicts.broken]
    assert not missed, "what breaks the rule was not found"


def test_each_rule_has_a_case(ids: Mapping[str, str]) -> None:
    assert set(ids) == {case.rule for case in CASES}


def test_each_rule_of_ours_counts(ids: Mapping[str, str]) -> None:
    files = [f for f in (REPOSITORY / "policies").glob("*/*.*") if f.suffix in {".py", ".yaml"}]
    folders = ("any", "aws", "azure", "gcp", "kubernetes")
    assert set(ids) == {f"{f.parent.name}/{f.stem}" for f in files if f.parent.name in folders}


def test_no_rule_broke(scanned: tuple[Verdicts, Places]) -> None:
    assert not [place for rule, place in scanned[0].broken if rule == "ISO_SCAN_003"]
