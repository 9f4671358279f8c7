"""What came of a pipeline, as one JSON object."""

from collections.abc import Sequence
from typing import Any

from isocenter.domain.evaluation import EvaluationReport
from isocenter.home import Home
from isocenter.pipelines.step import StepResult, StepState
from isocenter.storage.artifacts import ArtifactStore


def summarise(home: Home, name: str, results: Sequence[StepResult]) -> dict[str, Any]:
    """The registered model, its figures and papers, and the state of each step.

    Args:
        home: the store.
        name: the model's name.
        results: of the six steps of the training pipeline.
    """
    outputs = {result.name: result.outputs for result in results}
    registered = outputs["register"]
    bundle = ArtifactStore(home).path(registered["bundle"]["digest"])
    evaluation = EvaluationReport.model_validate_json((bundle / "evaluation.json").read_bytes())
    return {
        "model": name,
        "version": registered["number"],
        "reference": registered["reference"],
        "digest": registered["bundle"]["digest"],
        "dataset": outputs["ingest"]["dataset"],
        "metrics": {key: estimate.model_dump() for key, estimate in evaluation.metrics.items()},
        "bundle": str(bundle),
        "report": str(bundle / "report.html"),
        "card": str(bundle / "model_card.md"),
        "card_missing": registered["card_missing"],
        "quarantined": outputs["ingest"]["quarantined"],
        "warnings": outputs["validate"]["warnings"],
        "gate": outputs["gate"]["checks"],
        "steps": [_step(result) for result in results],
        "nothing_to_do": all(result.state is StepState.CACHED for result in results),
    }


def _step(result: StepResult) -> dict[str, Any]:
    return {
        "step": result.name,
        "state": result.state.value,
        "seconds": round(result.seconds, 3),
        "result": _digest_of(result),
        "key": result.key,
    }


def _digest_of(result: StepResult) -> str:
    outputs = result.outputs
    for part in ("bundle", "model", "output", "report"):
        if isinstance(outputs.get(part), dict) and "digest" in outputs[part]:
            return str(outputs[part]["digest"])
    return str(outputs.get("dataset", "passed" if outputs.get("passed") else ""))
