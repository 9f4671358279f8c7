"""checkov's checks, held against one document by checkov's own runner for Terraform JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from isocenter_policies.catalogue import Catalogue
from isocenter_policies.document import Document
from isocenter_policies.lean_checkov import load_checkov
from isocenter_policies.rule import Rule

load_checkov()

from checkov.common.graph.graph_builder import CustomAttributes  # noqa: E402
from checkov.common.models.enums import CheckResult  # noqa: E402
from checkov.runner_filter import RunnerFilter  # noqa: E402
from checkov.terraform.checks.provider.registry import provider_registry  # noqa: E402
from checkov.terraform.checks.resource.registry import resource_registry  # noqa: E402
from checkov.terraform_json.parser import hclify, prepare_definition  # noqa: E402
from checkov.terraform_json.runner import TerraformJsonRunner  # noqa: E402

Verdict = Literal["passed", "failed", "broken"]
_VERDICTS: dict[Any, Verdict] = {CheckResult.PASSED: "passed", CheckResult.FAILED: "failed"}
_FIRST_LINE = {"__startline__": 1, "__endline__": 1}


@dataclass(frozen=True)
class Outcome:
    """What a rule said of a resource; ``broken`` when it could not be asked."""

    rule: str
    address: str
    verdict: Verdict


def check_document(document: Document, catalogue: Catalogue) -> list[Outcome]:
    """What each rule of ``catalogue`` says of each resource of ``document`` that it is about."""
    outcomes = [*_python_outcomes(document), *_graph_outcomes(document)]
    return [outcome for outcome in outcomes if outcome.rule in catalogue.rules]


def _python_outcomes(document: Document) -> Iterator[Outcome]:
    for entity in document.entities():
        plain_kind = entity.kind.removeprefix("provider.")
        built_in = provider_registry.get_checks(plain_kind) if plain_kind != entity.kind else []
        for check in (*resource_registry.get_checks(entity.kind), *built_in):
            # A check may change what it is given, so each gets its own.
            conf = {**hclify(entity.body), **_FIRST_LINE}
            if isinstance(check, Rule):
                check.look_at(entity.address, document.content)
            try:
                result = check.run(str(document.path), conf, entity.name, entity.kind, {})["result"]
            except Exception:
                yield Outcome(check.id, entity.address, "broken")
                continue
            if isinstance(result, tuple):
                result = result[0]
            if result in _VERDICTS:
                yield Outcome(check.id, entity.address, _VERDICTS[result])


def _graph_outcomes(document: Document) -> Iterator[Outcome]:
    runner = TerraformJsonRunner()
    definition = prepare_definition(_scannable(document.content))
    runner.graph_manager.save_graph(
        runner.graph_manager.build_graph_from_definitions({str(document.path): definition})
    )
    only_files = RunnerFilter(framework=["terraform_json"], show_progress_bar=False)
    found = runner.run_graph_checks_results(runner_filter=only_files, report_type=runner.check_type)
    for check, results in found.items():
        for result in results:
            if result["result"] in _VERDICTS:
                yield Outcome(check.id, result["entity"][CustomAttributes.ID], _VERDICTS[result["result"]])


def _scannable(content: dict[str, Any]) -> dict[str, Any]:
    """The blocks that the graph is made of, with the lines that it asks for."""
    resources = {
        kind: {name: {**body, **_FIRST_LINE} for name, body in named.items()}
        for kind, named in content["resource"].items()
    }
    return {"resource": resources}
